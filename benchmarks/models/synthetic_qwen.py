"""Write a model of Qwen2.5-0.5B-Instruct's exact shape, with random weights: right speed, no meaning.

    .venv/bin/python benchmarks/models/synthetic_qwen.py          (350 MB, half a minute)

What decides speed is as in the published model: layers, widths, heads, tied embeddings, a vocabulary of 151,936,
Q4_0 weights with Q8_0 embeddings, ChatML. What the tokens spell is made up, so neither weights nor vocabulary of
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

PATH = Path(__file__).resolve().parent.parent.parent / "var" / "bench" / "synthetic-qwen2.5-0.5b-q4_0.gguf"

# https://huggingface.co/Qwen/Qwen2.5-0.5B-Instruct/blob/main/config.json
LAYERS, HIDDEN, HEADS, CACHED_HEADS, FEED_FORWARD = 24, 896, 14, 2, 4864
CACHED_WIDTH = HIDDEN // HEADS * CACHED_HEADS
VOCABULARY, CONTEXT, ROPE_BASE, EPSILON = 151_936, 32_768, 1_000_000.0, 1e-6
# The published vocabulary: so many ordinary tokens, then the special ones, then nothing up to VOCABULARY.
ORDINARY = 151_643
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
Q4_0_FILE = 2
SPACE = "Ġ"
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

Floats = NDArray[np.float32]


def write_model(path: Path) -> None:
    """Write the model; a half-written one never has the final name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".tmp")
    writer = gguf.GGUFWriter(draft, "qwen2")
    _describe(writer)
    _add_vocabulary(writer)
    _add_weights(writer, np.random.default_rng(0))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    draft.replace(path)


def _describe(writer: Any) -> None:
    writer.add_name("Synthetic-Qwen2.5-0.5B")
    writer.add_file_type(Q4_0_FILE)
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


def _add_weights(writer: Any, random: np.random.Generator) -> None:
    embedding = _random(random, VOCABULARY, HIDDEN)
    # Bytes and special tokens must not be likely: half a character, or an early end, is no answer.
    embedding[:256] *= 0.1
    embedding[ORDINARY:] *= 0.1
    _add(writer, "token_embd", embedding, gguf.GGMLQuantizationType.Q8_0)
    writer.add_tensor("output_norm.weight", np.ones(HIDDEN, np.float32))
    for layer in range(LAYERS):
        _add_layer(writer, f"blk.{layer}.", random)


def _add_layer(writer: Any, name: str, random: np.random.Generator) -> None:
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
        _add(writer, name + part, _random(random, *shape), gguf.GGMLQuantizationType.Q4_0)
    for part in ("attn_q", "attn_k", "attn_v"):
        writer.add_tensor(f"{name}{part}.bias", np.zeros(shapes[part][0], np.float32))
    for part in ("attn_norm", "ffn_norm"):
        writer.add_tensor(f"{name}{part}.weight", np.ones(HIDDEN, np.float32))


def _random(random: np.random.Generator, rows: int, columns: int) -> Floats:
    return random.standard_normal((rows, columns), dtype=np.float32) * np.float32(0.02)


def _add(writer: Any, name: str, weights: Floats, kind: Any) -> None:
    writer.add_tensor(f"{name}.weight", gguf.quants.quantize(weights, kind), raw_dtype=kind)


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else PATH
    write_model(target)
    print(f"{target}  {target.stat().st_size:,} bytes")
