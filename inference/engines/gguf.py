"""Say from a model file's header how much memory the model takes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from inference.engine import LoadError
from inference.gguf import MAGIC, GgufError, SpecialTexts, Value, read_sizes, read_special_texts, read_tokens

# Address space of interpreter, libraries, thread stacks and work buffers: 400 MiB measured.
_BASE_BYTES = 768 << 20


@dataclass(frozen=True, slots=True)
class Shape:
    """Hold a model's size: of its file in bytes, and what the key-value cache takes per token, likewise."""

    file_bytes: int
    cache_bytes_per_token: int


def memory_need(shape: Shape, *, tokens: int) -> int:
    """Return the address space in bytes that a worker needs for such a model and so many tokens in all slots.

    Twice the file, because it is mapped, and weights are copied where the processor wants another order.
    """
    return 2 * shape.file_bytes + tokens * shape.cache_bytes_per_token + _BASE_BYTES


def read_shape(path: Path) -> Shape:
    """Read the shape of the model in that file.

    Raise LoadError: `model_missing` if it cannot be read, `model_invalid` if it is no GGUF file or says
    nonsense.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            return Shape(size, _cache_bytes(read_sizes(file, file_bytes=size)))
    except OSError:
        raise LoadError("model_missing") from None
    except (ValueError, KeyError, TypeError, ZeroDivisionError, OverflowError):
        raise LoadError("model_invalid") from None


def read_vocabulary(path: Path) -> tuple[str, list[str]]:
    """Read the model's architecture and the texts of its tokens, in the order of their ids. Raise LoadError."""
    try:
        with path.open("rb") as file:
            return read_tokens(file, file_bytes=os.fstat(file.fileno()).st_size)
    except OSError:
        raise LoadError("model_missing") from None
    except GgufError:
        raise LoadError("model_invalid") from None


def special_texts(path: Path) -> SpecialTexts:
    """Read which texts are special tokens to the model; none for a file of another format. Raise LoadError."""
    try:
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                return SpecialTexts()
            file.seek(0)
            return read_special_texts(file, file_bytes=os.fstat(file.fileno()).st_size)
    except OSError:
        raise LoadError("model_missing") from None
    except GgufError:
        raise LoadError("model_invalid") from None


def _cache_bytes(pairs: Mapping[str, Value]) -> int:
    """Return keys and values of all layers for one token, 16 bits each: what llama.cpp keeps by default."""
    family = f"{pairs['general.architecture']}."
    layers = _number(pairs[family + "block_count"])
    heads = _number(pairs[family + "attention.head_count"])
    cached_heads = _number(pairs.get(family + "attention.head_count_kv", heads))
    width = _number(pairs[family + "embedding_length"]) // heads
    key_width = _number(pairs.get(family + "attention.key_length", width))
    value_width = _number(pairs.get(family + "attention.value_length", width))
    if not (0 < layers <= 1024 and 0 < cached_heads <= 1024 and 0 < key_width + value_width <= 1 << 16):
        raise ValueError
    return layers * cached_heads * (key_width + value_width) * 2


def _number(value: Value) -> int:
    """Return the number; the largest one where a file gives one per layer."""
    return max(map(int, value)) if isinstance(value, tuple) else int(value)
