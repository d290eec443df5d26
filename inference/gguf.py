"""Read the header of a GGUF file without trusting a byte of it. The only reader of such files in the portal.

Every length is checked against a limit, and what is announced against the file's size, before memory or time is spent
on it. Nothing of the weights is read. Whatever is wrong raises GgufError and nothing else.
Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (versions 2 and 3, little-endian).
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

MAGIC = b"GGUF"
MAX_PAIRS = 4096
MAX_KEY_BYTES = 256
MAX_TEXT_BYTES = 1 << 20
MAX_ARRAY_ITEMS = 1 << 21
# A vocabulary of 256,000 with merges takes about 20 MB.
MAX_HEADER_BYTES = 64 << 20
MAX_TENSORS = 1 << 16
MAX_TENSOR_NAME_BYTES = 64  # ggml.h, GGML_MAX_NAME
MAX_DIMENSIONS = 4  # ggml.h, GGML_MAX_DIMS
MAX_ELEMENTS = 1 << 48
KEPT_ITEMS, KEPT_BYTES = 1024, 4096
DEFAULT_ALIGNMENT, MAX_ALIGNMENT = 32, 1 << 16

STRING, ARRAY, BOOL = 8, 9, 7
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", BOOL: "B", 10: "Q", 11: "q", 12: "d"}
# ggml.h and ggml-common.h: number of a tensor's type → elements and bytes per block.
BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 36),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292), 16: (256, 66),
    17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82), 23: (256, 136),
    24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2), 34: (256, 54),
    35: (256, 66), 39: (32, 17),
}  # fmt: skip
KEY = re.compile(rb"[\x21-\x7e]{1,256}")
VOCABULARY = "tokenizer."
TEMPLATE = "tokenizer.chat_template"
TOKENS, TOKEN_KINDS = "tokenizer.ggml.tokens", "tokenizer.ggml.token_type"
# llama.h, llama_token_type: unknown, control, user-defined.
ALWAYS_SPECIAL, SPECIAL_IN_TEMPLATES = frozenset({2, 3}), 4

Scalar = int | float | bool | str
Value = Scalar | tuple[int | float | bool, ...]
Lists = dict[str, list[Any]]


class GgufError(ValueError):
    """The file is not a sound GGUF file; the text says why and quotes nothing from it."""


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """What a file says of itself.

    `pairs` has every value but long texts, long lists and lists of texts. `tokenizer_digest` is a SHA-256 over all
    that the file says of its tokenizer, the chat template apart; it does not depend on the order of the keys.
    """

    version: int
    pairs: Mapping[str, Value]
    tensor_count: int
    parameter_count: int
    tokenizer_digest: str


def read_header(file: BinaryIO, *, file_bytes: int) -> GgufHeader:
    """Read pairs and tensor table of a file that is `file_bytes` long. Raise GgufError."""
    reader = _Reader(file, limit=min(file_bytes, MAX_HEADER_BYTES))
    version, tensors, count = _read_counts(reader)
    if not 0 < tensors <= MAX_TENSORS:
        raise GgufError("the number of tensors is out of bounds")
    pairs, digests = _read_pairs(reader, count)
    alignment = _alignment(pairs)
    if pairs.get("split.count", 1) != 1:
        raise GgufError("the file is one part of several; join them first")
    table = [_read_tensor(reader) for _index in range(tensors)]
    start = _aligned(reader.position, alignment)
    _check_places(table, room=file_bytes - start, alignment=alignment)
    if len({tensor.name for tensor in table}) != len(table):
        raise GgufError("a tensor stands twice in the table")
    return GgufHeader(
        version=version,
        pairs=pairs,
        tensor_count=tensors,
        parameter_count=sum(tensor.elements for tensor in table),
        tokenizer_digest=_combine(digests),
    )


def read_sizes(file: BinaryIO, *, file_bytes: int) -> Mapping[str, Value]:
    """Read the pairs before the vocabulary, which comes last in practice and is long. Raise GgufError."""
    reader = _Reader(file, limit=min(file_bytes, MAX_HEADER_BYTES))
    _version, _tensors, count = _read_counts(reader)
    return _read_pairs(reader, count, stop_before=VOCABULARY)[0]


def read_tokens(file: BinaryIO, *, file_bytes: int) -> tuple[str, list[str]]:
    """Read the architecture and the texts of the tokens, in the order of their ids. Raise GgufError."""
    reader = _Reader(file, limit=min(file_bytes, MAX_HEADER_BYTES))
    _version, _tensors, count = _read_counts(reader)
    lists: Lists = {TOKENS: []}
    pairs = _read_pairs(reader, count, lists=lists)[0]
    return str(pairs.get("general.architecture", "")), list(map(_text_of, lists[TOKENS]))


@dataclass(frozen=True, slots=True)
class SpecialTexts:
    """Hold the texts in which a tokenizer sees special tokens; `in_template` are those that the chat template writes.

    Those of the second kind are ordinary words to the model where no template gives them a meaning.
    """

    control: tuple[str, ...] = ()
    in_template: tuple[str, ...] = ()


def read_special_texts(file: BinaryIO, *, file_bytes: int) -> SpecialTexts:
    """Read which tokens are no ordinary text. Raise GgufError."""
    reader = _Reader(file, limit=min(file_bytes, MAX_HEADER_BYTES))
    _version, _tensors, count = _read_counts(reader)
    lists: Lists = {TOKENS: [], TOKEN_KINDS: []}
    template = str(_read_pairs(reader, count, lists=lists)[0].get(TEMPLATE, ""))
    kinds = list(zip(map(_text_of, lists[TOKENS]), lists[TOKEN_KINDS], strict=False))
    return SpecialTexts(
        control=tuple(text for text, kind in kinds if kind in ALWAYS_SPECIAL),
        in_template=tuple(text for text, kind in kinds if kind == SPECIAL_IN_TEMPLATES and text in template),
    )


def _text_of(token: object) -> str:
    if not isinstance(token, bytes):
        raise GgufError("the vocabulary has tokens that are no texts")
    return token.decode("utf-8", errors="replace")


@dataclass(frozen=True, slots=True)
class _Tensor:
    name: bytes
    elements: int
    size: int
    offset: int


class _Reader:
    """Take bytes from a file, in order, never more than the limit in all."""

    def __init__(self, file: BinaryIO, *, limit: int) -> None:
        self._file = file
        self._limit = limit
        self.position = 0
        self.items = 0
        self._hash = hashlib.sha256()

    def take(self, count: int) -> bytes:
        if count > self._limit - self.position:
            raise GgufError("the file ends early, or its header is too long")
        data = self._file.read(count)
        if len(data) != count:
            raise GgufError("the file ends early")
        self.position += count
        self._hash.update(data)
        return data

    def number(self, code: str) -> int:
        value: int = struct.unpack(f"<{code}", self.take(struct.calcsize(code)))[0]
        return value

    def text(self, *, limit: int) -> bytes:
        length = self.number("Q")
        if length > limit:
            raise GgufError("the header has a text that is too long")
        return self.take(length)

    def begin(self) -> None:
        """Start the digest that `digest` returns."""
        self._hash = hashlib.sha256()

    def digest(self) -> bytes:
        return self._hash.digest()


def _read_counts(reader: _Reader) -> tuple[int, int, int]:
    if reader.take(4) != MAGIC:
        raise GgufError("this is not a GGUF file")
    version, tensors, count = reader.number("I"), reader.number("Q"), reader.number("Q")
    if version not in {2, 3}:
        raise GgufError("this version of GGUF, or its byte order, is not supported")
    if count > MAX_PAIRS:
        raise GgufError("the header has too many entries")
    return version, tensors, count


def _read_pairs(
    reader: _Reader, count: int, *, stop_before: str = "", lists: Lists | None = None
) -> tuple[dict[str, Value], dict[str, bytes]]:
    """Read the pairs, and digests of those about the tokenizer; the whole of some lists goes to `lists`."""
    pairs: dict[str, Value] = {}
    digests: dict[str, bytes] = {}
    seen: set[str] = set()
    for _index in range(count):
        reader.begin()
        raw = reader.text(limit=MAX_KEY_BYTES)
        if not KEY.fullmatch(raw):
            raise GgufError("the header has a key that is no key")
        key = raw.decode("ascii")
        if key in seen:
            raise GgufError("the header has a key twice")
        seen.add(key)
        if stop_before and key.startswith(stop_before):
            break
        value = _read_value(reader, key=key, whole=(lists or {}).get(key))
        if value is not None:
            pairs[key] = value
        if key.startswith(VOCABULARY) and key != TEMPLATE:
            digests[key] = reader.digest()
    return pairs, digests


def _read_value(reader: _Reader, *, key: str, whole: list[Any] | None) -> Value | None:
    kind = reader.number("I")
    if kind == ARRAY:
        return _read_array(reader, whole=whole)
    if kind == STRING:
        data = reader.text(limit=MAX_TEXT_BYTES)
        if key == TEMPLATE:
            return _decode(data)
        return data.decode("utf-8", errors="replace") if len(data) <= KEPT_BYTES else None
    return _read_scalar(reader, kind)


def _read_scalar(reader: _Reader, kind: int) -> int | float | bool:
    code = SCALARS.get(kind)
    if code is None:
        raise GgufError("the header has a value of an unknown type")
    value: int | float = struct.unpack(f"<{code}", reader.take(struct.calcsize(code)))[0]
    if kind != BOOL:
        return value
    if value not in {0, 1}:
        raise GgufError("the header has a truth value that is neither true nor false")
    return bool(value)


def _read_array(reader: _Reader, *, whole: list[Any] | None) -> tuple[int | float | bool, ...] | None:
    kind, count = reader.number("I"), reader.number("Q")
    reader.items += count
    if reader.items > MAX_ARRAY_ITEMS:
        raise GgufError("the header has lists that are too long")
    if kind == STRING:
        for _index in range(count):
            text = reader.text(limit=MAX_TEXT_BYTES)
            if whole is not None:
                whole.append(text)
        return None
    code = SCALARS.get(kind)
    if code is None:
        raise GgufError("the header has a list of an unknown type, or of lists")
    data = reader.take(count * struct.calcsize(code))
    if whole is not None:
        whole += struct.unpack(f"<{count}{code}", data)
    return struct.unpack(f"<{count}{code}", data) if count <= KEPT_ITEMS else None


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise GgufError("the chat template is not a text in UTF-8") from None


def _alignment(pairs: Mapping[str, Value]) -> int:
    value = pairs.get("general.alignment", DEFAULT_ALIGNMENT)
    if type(value) is not int or not 8 <= value <= MAX_ALIGNMENT or value & (value - 1):
        raise GgufError("the alignment is out of bounds")
    return value


def _aligned(position: int, alignment: int) -> int:
    return (position + alignment - 1) // alignment * alignment


def _read_tensor(reader: _Reader) -> _Tensor:
    name = reader.text(limit=MAX_TENSOR_NAME_BYTES)
    count = reader.number("I")
    if not name or not 0 < count <= MAX_DIMENSIONS:
        raise GgufError("a tensor has no name, or too many dimensions")
    shape = struct.unpack(f"<{count}Q", reader.take(8 * count))
    elements = 1
    for size in shape:
        elements *= size
        if not 0 < elements <= MAX_ELEMENTS:
            raise GgufError("a tensor's size is out of bounds")
    block = BLOCKS.get(reader.number("I"))
    if block is None:
        raise GgufError("a tensor has an unknown type")
    if shape[0] % block[0]:
        raise GgufError("a tensor's rows do not fit its type")
    return _Tensor(name, elements, elements // block[0] * block[1], reader.number("Q"))


def _check_places(table: list[_Tensor], *, room: int, alignment: int) -> None:
    """Refuse tensors that are not aligned, lie outside the file, or over each other."""
    end = 0
    for tensor in sorted(table, key=lambda each: each.offset):
        if tensor.offset % alignment:
            raise GgufError("a tensor is not aligned")
        if tensor.offset < end:
            raise GgufError("tensors lie over each other")
        end = tensor.offset + tensor.size
        if end > room:
            raise GgufError("a tensor lies outside the file: it is cut off or damaged")


def _combine(digests: Mapping[str, bytes]) -> str:
    if not digests:
        return ""
    return hashlib.sha256(b"".join(digests[key] for key in sorted(digests))).hexdigest()
