"""Read the header of a GGUF file without trusting it.

Only what the portal shows and needs is kept; everything else is stepped over. Each length is checked against a limit
and the file's size before memory is spent on it.
Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (versions 2 and 3, little-endian).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from registry.errors import ModelError

MAX_PAIRS = 4096
MAX_KEY_BYTES = 256
MAX_TEXT_BYTES = 1 << 20
MAX_ARRAY_ITEMS = 1 << 21

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9

_CONTEXT_LENGTH = ".context_length"
_KEPT = frozenset(
    {
        "general.architecture",
        "general.name",
        "general.file_type",
        "general.license",
        "general.size_label",
        "tokenizer.chat_template",
    }
)

# llama.cpp, enum llama_ftype: what general.file_type means.
_FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M",
    13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 32: "BF16",
}  # fmt: skip

Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """What a model file says of itself."""

    name: str
    architecture: str
    quantisation: str
    context_tokens: int
    licence: str
    size_label: str
    has_chat_template: bool


def read_gguf_header(path: Path) -> GgufHeader:
    """Return the header of a GGUF file. Raises ModelError, which says what is wrong, for anything malformed."""
    try:
        with path.open("rb") as file:
            pairs = _read_pairs(file)
    except (struct.error, EOFError) as error:
        raise ModelError("the file ends early or is damaged") from error
    except OSError as error:
        raise ModelError(f"the file cannot be read: {error.strerror}") from error
    architecture = _text(pairs, "general.architecture")
    context = _number(pairs, architecture + _CONTEXT_LENGTH)
    if not architecture or not 0 < context <= 1 << 24:
        raise ModelError("the file does not say its architecture and context length")
    return GgufHeader(
        name=_text(pairs, "general.name") or path.stem,
        architecture=architecture,
        quantisation=_FILE_TYPES.get(_number(pairs, "general.file_type"), "?"),
        context_tokens=context,
        licence=_text(pairs, "general.license"),
        size_label=_text(pairs, "general.size_label"),
        has_chat_template=bool(_text(pairs, "tokenizer.chat_template")),
    )


def _text(pairs: dict[str, Value], key: str) -> str:
    value = pairs.get(key, "")
    if not isinstance(value, str):
        raise ModelError(f"{key} is not a text")
    return value if key == "tokenizer.chat_template" else "".join(filter(str.isprintable, value))[:120]


def _number(pairs: dict[str, Value], key: str) -> int:
    value = pairs.get(key, -1)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ModelError(f"{key} is not a whole number")
    return value


def _read_pairs(file: BinaryIO) -> dict[str, Value]:
    if _take(file, 4) != b"GGUF":
        raise ModelError("this is not a GGUF file")
    version, _tensors, count = struct.unpack("<IQQ", _take(file, 20))
    if version not in (2, 3):
        raise ModelError("this version of GGUF is not supported")
    if count > MAX_PAIRS:
        raise ModelError("the header has too many entries")
    pairs: dict[str, Value] = {}
    for _index in range(count):
        key = _read_text(file, limit=MAX_KEY_BYTES)
        value = _read_value(file, kind=_read_kind(file))
        if value is not None and (key in _KEPT or key.endswith(_CONTEXT_LENGTH)):
            pairs[key] = value
    return pairs


def _read_value(file: BinaryIO, *, kind: int) -> Value | None:
    if kind == _STRING:
        return _read_text(file, limit=MAX_TEXT_BYTES)
    if kind == _ARRAY:
        _skip_array(file)
        return None
    code = _SCALARS.get(kind)
    if code is None:
        raise ModelError("the header has a value of an unknown type")
    value: Value = struct.unpack(f"<{code}", _take(file, struct.calcsize(code)))[0]
    return value


def _skip_array(file: BinaryIO) -> None:
    kind, count = _read_kind(file), struct.unpack("<Q", _take(file, 8))[0]
    if count > MAX_ARRAY_ITEMS or kind == _ARRAY:
        raise ModelError("the header has a list that is too long or nested")
    if kind == _STRING:
        for _index in range(count):
            _read_text(file, limit=MAX_TEXT_BYTES)
    elif kind in _SCALARS:
        _take(file, count * struct.calcsize(_SCALARS[kind]))
    else:
        raise ModelError("the header has a list of an unknown type")


def _read_kind(file: BinaryIO) -> int:
    return int(struct.unpack("<I", _take(file, 4))[0])


def _read_text(file: BinaryIO, *, limit: int) -> str:
    length = struct.unpack("<Q", _take(file, 8))[0]
    if length > limit:
        raise ModelError("the header has a text that is too long")
    return _take(file, length).decode("utf-8", errors="replace")


def _take(file: BinaryIO, count: int) -> bytes:
    data = file.read(count)
    if len(data) != count:
        raise EOFError
    return data
