"""Make model files as they were in 2023: the starter model for llama.cpp of that September, and a GPT-2 in GGML."""

from __future__ import annotations

import random
import struct
from pathlib import Path
from typing import Any, BinaryIO

import gguf

NORMAL, USER_DEFINED = 1, 4
GGML_MAGIC = 0x67676D6C
F32 = 0


def write_2023(source: Path, target: Path) -> None:
    """Write a llama model with a byte-level vocabulary so that llama.cpp of September 2023 reads it.

    It wants token texts as bytes and merges as they were, a score for each token, and an output layer of its own.
    """
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(target, "llama")
    kinds = reader.fields["tokenizer.ggml.token_type"].contents()
    for key, field in reader.fields.items():
        if key == "tokenizer.ggml.tokens":
            writer.add_token_list([_text(*pair) for pair in zip(field.contents(), kinds, strict=True)])
            writer.add_token_scores([0.0] * len(kinds))
        elif not key.startswith("GGUF.") and key != "general.architecture":
            add = writer.add_array if field.types[0] == gguf.GGUFValueType.ARRAY else writer.add_key_value
            add(key, field.contents(), *([] if add == writer.add_array else [field.types[0]]))
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    for name, tensor in ({"output.weight": tensors["token_embd.weight"]} | tensors).items():
        writer.add_tensor(name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _text(text: str, kind: int) -> bytes:
    return bytes(_BYTES[letter] for letter in text) if kind in (NORMAL, USER_DEFINED) else text.encode()


def _byte_letters() -> dict[str, int]:
    """Return the byte for each letter with which byte-level BPE spells it."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [value for value in range(256) if value not in plain]
    return {chr(value): value for value in plain} | {chr(256 + at): value for at, value in enumerate(rest)}


_BYTES = _byte_letters()


def write_gpt2(target: Path, *, context: int = 256, width: int = 32, layers: int = 2) -> None:
    """Write a GPT-2 with random weights in GGML's first format, its vocabulary the 256 bytes.

    Source of the format: ggml, examples/gpt-2/main.cpp of 2023.
    """
    chance = random.Random(7)
    with target.open("wb") as file:
        file.write(struct.pack("<7iI", GGML_MAGIC, 256, context, width, 4, layers, F32, 256))
        for value in range(256):
            file.write(struct.pack("<I", 1) + bytes([value]))
        for name, *shape in _tensors(context=context, width=width, layers=layers):
            _write_tensor(file, name, shape, chance)


def _tensors(*, context: int, width: int, layers: int) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = [
        ("model/ln_f/g", width),
        ("model/ln_f/b", width),
        ("model/wte", width, 256),
        ("model/wpe", width, context),
    ]
    for layer in range(layers):
        head = f"model/h{layer}/"
        found += [(f"{head}{norm}/{part}", width) for norm in ("ln_1", "ln_2") for part in "gb"]
        for name, inward, outward in (
            ("attn/c_attn", width, 3 * width),
            ("attn/c_proj", width, width),
            ("mlp/c_fc", width, 4 * width),
            ("mlp/c_proj", 4 * width, width),
        ):
            found += [(f"{head}{name}/w", inward, outward), (f"{head}{name}/b", outward)]
    return found


def _write_tensor(file: BinaryIO, name: str, shape: list[int], chance: random.Random) -> None:
    count = 1
    for size in shape:
        count *= size
    file.write(struct.pack(f"<3i{len(shape)}i", len(shape), len(name), F32, *shape) + name.encode())
    file.write(struct.pack(f"<{count}f", *(chance.gauss(0, 0.3) for _ in range(count))))
