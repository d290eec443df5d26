from __future__ import annotations

import struct
from pathlib import Path

import pytest

from inference.engine import LoadError
from inference.engines.gguf import memory_need, read_shape


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def number(key: str, value: int) -> bytes:
    return text(key) + struct.pack("<II", 4, value)


def header(
    pairs: list[bytes], *, count: int | None = None, magic: bytes = b"GGUF", version: int = 3
) -> bytes:
    size = len(pairs) if count is None else count
    return magic + struct.pack("<IQQ", version, 0, size) + b"".join(pairs)


NAME = text("general.architecture") + struct.pack("<I", 8) + text("toy")
SIZES = [
    number("toy.block_count", 3),
    number("toy.embedding_length", 64),
    number("toy.attention.head_count", 4),
]
TOY = [NAME, *SIZES, number("toy.attention.head_count_kv", 2)]


def write(folder: Path, data: bytes) -> Path:
    path = folder / "model.gguf"
    path.write_bytes(data)
    return path


def test_the_cache_is_counted_from_layers_and_cached_heads(tmp_path: Path) -> None:
    path = write(tmp_path, header(TOY))
    assert read_shape(path).cache_bytes_per_token == 3 * 2 * (16 + 16) * 2


def test_heads_per_layer_count_as_the_largest(tmp_path: Path) -> None:
    heads = text("toy.attention.head_count_kv") + struct.pack("<IIQ3I", 9, 4, 3, 1, 4, 2)
    path = write(tmp_path, header([NAME, *SIZES, heads]))
    assert read_shape(path).cache_bytes_per_token == 3 * 4 * (16 + 16) * 2


def test_reading_stops_at_the_vocabulary(tmp_path: Path) -> None:
    path = write(tmp_path, header([*TOY, text("tokenizer.ggml.tokens") + b"\xff" * 40], count=99))
    assert read_shape(path).file_bytes == path.stat().st_size


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GGUF",
        b"no model at all, only some text in a file",
        header(TOY, magic=b"GGML"),
        header(TOY, version=9),
        header(TOY, count=1 << 60),
        header(TOY, count=9),
        header([NAME]),
        header([text("general.architecture") + struct.pack("<I", 99)]),
        header([struct.pack("<Q", 1 << 62)]),
        header([NAME, *SIZES[:2], number("toy.attention.head_count", 0)]),
        header([NAME, text("toy.block_count") + struct.pack("<IIQ", 9, 4, 1 << 60)]),
        header([NAME, number("toy.block_count", 4_000_000_000), *SIZES[1:]]),
    ],
)
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(LoadError) as refusal:
        read_shape(write(tmp_path, data))
    assert refusal.value.code == "model_invalid"


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LoadError) as refusal:
        read_shape(tmp_path / "missing.gguf")
    assert refusal.value.code == "model_missing"


def test_the_memory_grows_with_file_and_context(tmp_path: Path) -> None:
    shape = read_shape(write(tmp_path, header(TOY)))
    small, large = memory_need(shape, tokens=0), memory_need(shape, tokens=8192)
    assert large - small == 8192 * shape.cache_bytes_per_token


@pytest.mark.model
def test_the_starter_models_shape_is_read(starter_model: Path) -> None:
    assert read_shape(starter_model).cache_bytes_per_token == 30 * 3 * (64 + 64) * 2
