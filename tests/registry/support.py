"""Write small GGUF files, right and wrong."""

from __future__ import annotations

import struct
from typing import Any

STRING, ARRAY = 8, 9
CODES = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
U8, U32, F32, BOOL, U64 = 0, 4, 6, 7, 10

PAIRS: tuple[tuple[str, int, Any], ...] = (
    ("general.architecture", STRING, "llama"),
    ("general.name", STRING, "Heron"),
    ("general.file_type", U32, 3),
    ("llama.context_length", U32, 2048),
    ("general.license", STRING, "Apache-2.0"),
    ("tokenizer.chat_template", STRING, "{{ messages }}"),
    ("tokenizer.ggml.tokens", ARRAY, (STRING, ["a", "鹭", ""])),
    ("tokenizer.ggml.scores", ARRAY, (F32, [0.5, 1.5])),
    ("llama.rope.freq_base", F32, 10000.0),
    ("general.quantized", BOOL, True),
    ("general.big", U64, 1 << 40),
)


def text(value: str | bytes, *, length: int | None = None) -> bytes:
    data = value if isinstance(value, bytes) else value.encode()
    return struct.pack("<Q", len(data) if length is None else length) + data


def value(kind: int, content: Any) -> bytes:
    if kind == STRING:
        return text(content)
    if kind == ARRAY:
        inner, items = content
        head = struct.pack("<IQ", inner, len(items))
        return head + b"".join(value(inner, item) for item in items)
    return struct.pack(f"<{CODES[kind]}", content)


WEIGHTS = 7000
TENSOR = (b"weights", (1024,), 0, 0)


def tensor(name: bytes, shape: tuple[int, ...], kind: int, offset: int) -> bytes:
    dimensions = struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
    return text(name) + dimensions + struct.pack("<IQ", kind, offset)


def table(data: bytes, *tensors: tuple[bytes, tuple[int, ...], int, int]) -> bytes:
    """Return a header with other tensors, and room for them after it."""
    body = data[:8] + struct.pack("<Q", len(tensors)) + data[16:]
    return body + b"".join(tensor(*each) for each in tensors) + bytes(WEIGHTS)


def header(
    *pairs: tuple[str, int, Any], version: int = 3, count: int | None = None, magic: bytes = b"GGUF"
) -> bytes:
    """Return a header with these pairs and no tensors; `count` is what it says of their number."""
    body = b"".join(
        text(key) + struct.pack("<I", kind) + value(kind, content) for key, kind, content in pairs
    )
    return magic + struct.pack("<IQQ", version, 0, len(pairs) if count is None else count) + body


def changed(**values: tuple[int, Any] | None) -> bytes:
    """Return the good header with other values; dots in keys are written as double underscores."""
    named = {key.replace("__", "."): given for key, given in values.items()}
    kept = [pair for pair in PAIRS if pair[0] not in named]
    return table(header(*kept, *((key, *given) for key, given in named.items() if given is not None)), TENSOR)


def model_bytes(words: bytes = b"weights") -> bytes:
    """Return a whole small file: a good header and something after it."""
    return table(header(*PAIRS), TENSOR)[:-WEIGHTS] + (words * WEIGHTS)[:WEIGHTS]
