"""Write a model of Qwen2.5-0.5B-Instruct's exact shape, with random weights: right speed, no meaning.

    .venv/bin/python -m benchmarks.models.synthetic_qwen [q4_0 q4_k_m q8_0]       (350, 490, 675 MB; seconds each)

What decides speed is as in the published model: layers, widths, heads, tied embeddings, a vocabulary of 151,936,
ChatML, and the types of its tensors (`recipe`). What the tokens spell is made up, so neither weights nor vocabulary of
anybody else are needed. Later runs of the benchmarks use the file by themselves.
"""

from __future__ import annotations

import itertools
import string
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray

FOLDER = Path(__file__).resolve().parent.parent.parent / "var" / "bench"
# Each kind of file, and its number in the GGUF specification.
KINDS = {"q4_0": 2, "q4_k_m": 15, "q8_0": 7}

# https://huggingface.co/Qwen/Qwen2.5-0.5B-Instruct/blob/main/config.json
LAYERS, HIDDEN, HEADS, CACHED_HEADS, FEED_FORWARD = 24, 896, 14, 2, 4864
CACHED_WIDTH = HIDDEN // HEADS * CACHED_HEADS
VOCABULARY, CONTEXT, ROPE_BASE, EPSILON = 151_936, 32_768, 1_000_000.0, 1e-6
# The published vocabulary: so many ordinary tokens, then the special ones, then nothing up to VOCABULARY.
ORDINARY = 151_643
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
SPACE = "Ġ"
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

Floats = NDArray[np.float32]


def path_of(kind: str) -> Path:
    """Return where a kind of file lies."""
    return FOLDER / f"synthetic-qwen2.5-0.5b-{kind}.gguf"


def recipe(kind: str, part: str, layer: int = 0) -> Any:
    """Return the type of a tensor in such a file, as in the published ones.

    Q4_K_M is Q4_K, with Q6_K for half of the layers' `attn_v` and `ffn_down`. Rows of 896 are no multiple of the 256
    that K types take, so llama.cpp falls back: Q4_K to Q5_0, Q6_K to Q8_0. That leaves `ffn_down`, whose rows are 4864.
    Source: `llama_tensor_get_type` and its fallbacks in llama.cpp, src/llama-quant.cpp.
    """
    types = gguf.GGMLQuantizationType
    if kind == "q4_k_m":
        better = part in {"attn_v", "ffn_down"} and _has_more_bits(layer)
        if part == "ffn_down":
            return types.Q6_K if better else types.Q4_K
        return types.Q8_0 if better or part == "output" else types.Q5_0
    return types.Q8_0 if kind == "q8_0" or part in {"token_embd", "output"} else types.Q4_0


def _has_more_bits(layer: int) -> bool:
    """Return whether the layer is one of the half that Q4_K_M spends more on: `use_more_bits` in llama.cpp."""
    return layer < LAYERS // 8 or layer >= 7 * LAYERS // 8 or (layer - LAYERS // 8) % 3 == 2


def write_model(path: Path, kind: str = "q4_0") -> None:
    """Write the model; a half-written one never has the final name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".tmp")
    writer = gguf.GGUFWriter(draft, "qwen2")
    _describe(writer, kind)
    _add_vocabulary(writer)
    _add_weights(writer, kind, np.random.default_rng(0))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    draft.replace(path)


def _describe(writer: Any, kind: str) -> None:
    writer.add_name("Synthetic-Qwen2.5-0.5B")
    writer.add_file_type(KINDS[kind])
    writer.add_block_count(LAYERS)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(CACHED_HEADS)
    writer.add_rope_freq_base(ROPE_BASE)
    writer.add_layer_norm_rms_eps(EPSILON)
    writer.add_chat_template(TEMPLATE)


def _add_vocabulary(writer: Any) -> None:
    """Add single bytes, then words put together from pairs of earlier tokens, each with the merge that makes it."""
    tokens, merges = list(_bytes()), []
    for left, right in itertools.islice(_pairs(), ORDINARY - len(tokens)):
        tokens.append(left + right)
        merges.append(f"{left} {right}")
    kinds = [gguf.TokenType.NORMAL] * len(tokens) + [gguf.TokenType.CONTROL] * len(SPECIAL)
    tokens += SPECIAL
    rest = VOCABULARY - len(tokens)
    tokens += [f"[UNUSED{number}]" for number in range(rest)]
    kinds += [gguf.TokenType.UNUSED] * rest
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(ORDINARY)
    writer.add_pad_token_id(ORDINARY)
    writer.add_eos_token_id(ORDINARY + SPECIAL.index("<|im_end|>"))
    writer.add_add_bos_token(False)  # noqa: FBT003 - the writer's signature


def _bytes() -> Iterator[str]:
    """Yield the 256 bytes as byte-level BPE spells them: printable ones as themselves, others from U+0100 on."""
    spare = itertools.count(256)
    for value in range(256):
        printable = 33 <= value <= 126 or 161 <= value <= 172 or value >= 174
        yield chr(value) if printable else chr(next(spare))


def _pairs() -> Iterator[tuple[str, str]]:
    """Yield pairs whose two halves exist already: letter and letter, space and letter, then those with each other."""
    letters = list(string.ascii_lowercase)
    syllables = [left + right for left in letters for right in letters]
    yield from itertools.product(letters, letters)
    yield from ((SPACE, letter) for letter in letters)
    yield from ((SPACE + word[0], word[1]) for word in syllables)
    yield from ((word, letter) for word in syllables for letter in letters)
    yield from itertools.product(syllables, syllables)


def _add_weights(writer: Any, kind: str, random: np.random.Generator) -> None:
    embedding = _random(random, VOCABULARY, HIDDEN)
    # Bytes and special tokens must not be likely: half a character, or an early end, is no answer.
    embedding[:256] *= 0.1
    embedding[ORDINARY:] *= 0.1
    _add(writer, "token_embd", embedding, recipe(kind, "token_embd"))
    # The published Q4_0 is not to be had; the other two files hold the output layer a second time.
    if kind != "q4_0":
        _add(writer, "output", embedding, recipe(kind, "output"))
    writer.add_tensor("output_norm.weight", np.ones(HIDDEN, np.float32))
    for layer in range(LAYERS):
        _add_layer(writer, kind, layer, random)


def _add_layer(writer: Any, kind: str, layer: int, random: np.random.Generator) -> None:
    name = f"blk.{layer}."
    shapes = {
        "attn_q": (HIDDEN, HIDDEN),
        "attn_k": (CACHED_WIDTH, HIDDEN),
        "attn_v": (CACHED_WIDTH, HIDDEN),
        "attn_output": (HIDDEN, HIDDEN),
        "ffn_gate": (FEED_FORWARD, HIDDEN),
        "ffn_up": (FEED_FORWARD, HIDDEN),
        "ffn_down": (HIDDEN, FEED_FORWARD),
    }
    for part, shape in shapes.items():
        wanted = recipe(kind, part, layer)
        if wanted in _BLOCKS:
            writer.add_tensor(
                f"{name}{part}.weight", _random_blocks(random, *shape, wanted), raw_dtype=wanted
            )
        else:
            _add(writer, name + part, _random(random, *shape), wanted)
    for part in ("attn_q", "attn_k", "attn_v"):
        writer.add_tensor(f"{name}{part}.bias", np.zeros(shapes[part][0], np.float32))
    for part in ("attn_norm", "ffn_norm"):
        writer.add_tensor(f"{name}{part}.weight", np.ones(HIDDEN, np.float32))


def _random(random: np.random.Generator, rows: int, columns: int) -> Floats:
    return random.standard_normal((rows, columns), dtype=np.float32) * np.float32(0.02)


def _add(writer: Any, name: str, weights: Floats, kind: Any) -> None:
    writer.add_tensor(f"{name}.weight", gguf.quants.quantize(weights, kind), raw_dtype=kind)


# Of the types that the `gguf` package cannot make: bytes per block of 256 weights, and the scales in it as offset and
# value, such that the weights, whose bits are random, are spread by about 0.02 around zero.
_BLOCKS = {
    gguf.GGMLQuantizationType.Q4_K: (144, {0: 1e-4, 2: 7.5e-4}),
    gguf.GGMLQuantizationType.Q6_K: (210, {208: 1.5e-5}),
}


def _random_blocks(random: np.random.Generator, rows: int, columns: int, kind: Any) -> NDArray[np.uint8]:
    size, scales = _BLOCKS[kind]
    blocks = random.integers(0, 256, (rows, columns // 256, size), dtype=np.uint8)
    for offset, value in scales.items():
        blocks[:, :, offset : offset + 2] = np.frombuffer(np.float16(value).tobytes(), np.uint8)
    return blocks.reshape(rows, -1)


if __name__ == "__main__":
    for wanted_kind in sys.argv[1:] or ["q4_0"]:
        target = path_of(wanted_kind)
        write_model(target, wanted_kind)
        print(f"{target}  {target.stat().st_size:,} bytes")
