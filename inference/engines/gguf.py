"""Read the few figures from a GGUF file's header that say how much memory the model takes.

The file is foreign input: every length is checked against a bound, and reading stops at the vocabulary.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from inference.engine import LoadError

_MAGIC = b"GGUF"
_MAX_PAIRS = 4096
_MAX_STRING = 1 << 20
_MAX_ARRAY = 1 << 16
_MAX_VOCABULARY = 1 << 21
_VOCABULARY = "tokenizer.ggml.tokens"
_STRING, _ARRAY = 8, 9
# Formats of the fixed-size value types, by their number in the GGUF specification.
_FORMATS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}

Value = int | float | str | list[int | float | str]


@dataclass(frozen=True, slots=True)
class Shape:
    """Hold a model's size: of its file in bytes, and what the key-value cache takes per token, likewise."""

    file_bytes: int
    cache_bytes_per_token: int


def read_shape(path: Path) -> Shape:
    """Read the shape of the model in that file.

    Raise LoadError: `model_missing` if it cannot be read, `model_invalid` if it is no GGUF file or says
    nonsense.
    """
    try:
        with path.open("rb") as file:
            return Shape(os.fstat(file.fileno()).st_size, _cache_bytes(_read_pairs(file)))
    except OSError:
        raise LoadError("model_missing") from None
    except (ValueError, KeyError, TypeError, ZeroDivisionError, struct.error):
        raise LoadError("model_invalid") from None


def read_vocabulary(path: Path) -> tuple[str, list[str]]:
    """Read the model's architecture and the texts of its tokens, in the order of their ids. Raise LoadError."""
    try:
        with path.open("rb") as file:
            pairs = _read_pairs(file, last=_VOCABULARY)
            tokens = pairs.get(_VOCABULARY, [])
            return str(pairs["general.architecture"]), list(map(str, tokens)) if isinstance(
                tokens, list
            ) else []
    except OSError:
        raise LoadError("model_missing") from None
    except (ValueError, KeyError, TypeError, struct.error):
        raise LoadError("model_invalid") from None


def _cache_bytes(pairs: dict[str, Value]) -> int:
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
    return max(map(int, value)) if isinstance(value, list) else int(value)


def _read_pairs(file: BinaryIO, *, last: str = "") -> dict[str, Value]:
    """Read pairs up to the tokenizer's, or through the one named `last`."""
    if file.read(4) != _MAGIC:
        raise ValueError
    version, _tensors, count = struct.unpack("<IQQ", file.read(20))
    if version not in {2, 3} or count > _MAX_PAIRS:
        raise ValueError
    pairs: dict[str, Value] = {}
    for _ in range(count):
        key = _read_string(file)
        if key.startswith("tokenizer.") and not last:
            break
        pairs[key] = _read_value(file, limit=_MAX_VOCABULARY if last else _MAX_ARRAY)
        if key == last:
            break
    return pairs


def _read_value(file: BinaryIO, *, limit: int) -> Value:
    (kind,) = struct.unpack("<I", file.read(4))
    if kind != _ARRAY:
        return _read_one(file, kind)
    kind, length = struct.unpack("<IQ", file.read(12))
    if length > limit:
        raise ValueError
    return [_read_one(file, kind) for _ in range(length)]


def _read_one(file: BinaryIO, kind: int) -> int | float | str:
    if kind == _STRING:
        return _read_string(file)
    form = "<" + _FORMATS[kind]
    value: int | float = struct.unpack(form, file.read(struct.calcsize(form)))[0]
    return value


def _read_string(file: BinaryIO) -> str:
    (length,) = struct.unpack("<Q", file.read(8))
    if length > _MAX_STRING:
        raise ValueError
    return file.read(length).decode("utf-8", "replace")
