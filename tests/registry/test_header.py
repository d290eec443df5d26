"""The reader of model files trusts nothing in them: whatever is wrong is a ModelError, soon and without much memory."""

from __future__ import annotations

import random
import struct
import time
import tracemalloc
from pathlib import Path

import pytest

from registry.errors import ModelError
from registry.gguf import MAX_ARRAY_ITEMS, MAX_PAIRS, read_gguf_header
from tests.registry.support import ARRAY, BOOL, F32, PAIRS, STRING, U8, U32, U64, changed, header, text

HUGE = (1 << 63) - 1


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "model.gguf"


def test_a_good_header_is_read(file: Path) -> None:
    file.write_bytes(header(*PAIRS))
    read = read_gguf_header(file)
    assert (read.name, read.architecture, read.quantisation, read.context_tokens) == (
        "Heron",
        "llama",
        "Q4_1",
        2048,
    )
    assert (read.licence, read.has_chat_template) == ("Apache-2.0", True)


def test_what_may_be_missing_may_be_missing(file: Path) -> None:
    file.write_bytes(changed(general__name=None, general__file_type=None, tokenizer__chat_template=None))
    read = read_gguf_header(file)
    assert (read.name, read.quantisation, read.has_chat_template) == ("model", "?", False)


def test_a_header_cut_off_at_any_byte_is_refused(file: Path) -> None:
    whole = header(*PAIRS)
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        with pytest.raises(ModelError):
            read_gguf_header(file)


def test_a_header_with_any_byte_changed_is_read_or_refused(file: Path) -> None:
    whole, rng = header(*PAIRS), random.Random(1)
    for at in range(len(whole)):
        for other in {255, whole[at] ^ 128, rng.randrange(256)}:
            file.write_bytes(whole[:at] + bytes([other]) + whole[at + 1 :])
            read_or_refuse(file)


def test_random_bytes_are_refused(file: Path) -> None:
    rng = random.Random(2)
    for size in [0, 1, 3, 4, 23, 24, 100, 5000] * 20:
        file.write_bytes(rng.randbytes(size))
        with pytest.raises(ModelError):
            read_gguf_header(file)
        file.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, rng.randrange(1, 200)) + rng.randbytes(size))
        read_or_refuse(file)


def read_or_refuse(file: Path) -> None:
    """Anything but a header or a ModelError fails the test."""
    try:
        read_gguf_header(file)
    except ModelError as error:
        assert error.detail  # noqa: PT017 (either is right)


def pair(key: bytes, rest: bytes) -> bytes:
    return header(count=1) + text(key) + rest


@pytest.mark.parametrize(
    "data",
    [
        header(*PAIRS, magic=b"GGML"),
        header(*PAIRS, version=1),
        header(*PAIRS, version=4),
        header(*PAIRS, version=3 << 24),
        header(*PAIRS, count=HUGE),
        header(*PAIRS, count=MAX_PAIRS + 1),
        header(*PAIRS, count=len(PAIRS) + 1),
        header(*PAIRS, count=0),
        header(count=1) + text(b"", length=HUGE),
        header(count=1) + text(b"x" * 300),
        pair(b"k", struct.pack("<I", STRING) + text(b"", length=HUGE)),
        pair(b"k", struct.pack("<I", STRING) + text(b"", length=(1 << 20) + 1)),
        pair(b"k", struct.pack("<I", STRING) + text(b"short", length=1000)),
        pair(b"k", struct.pack("<I", 13)),
        pair(b"k", struct.pack("<I", 0xFFFFFFFF)),
        pair(b"k", struct.pack("<IIQ", ARRAY, U8, HUGE)),
        pair(b"k", struct.pack("<IIQ", ARRAY, U64, MAX_ARRAY_ITEMS + 1)),
        pair(b"k", struct.pack("<IIQ", ARRAY, U64, MAX_ARRAY_ITEMS)),
        pair(b"k", struct.pack("<IIQ", ARRAY, STRING, MAX_ARRAY_ITEMS)),
        pair(b"k", struct.pack("<IIQ", ARRAY, 99, 1)),
        pair(b"k", struct.pack("<IIQ", ARRAY, ARRAY, 1) + struct.pack("<IQ", ARRAY, 1) * 10_000),
        changed(general__architecture=None),
        changed(general__architecture=(STRING, "")),
        changed(general__architecture=(STRING, "\n\t")),
        changed(general__architecture=(U32, 7)),
        changed(general__name=(U32, 7)),
        changed(general__license=(BOOL, True)),
        changed(tokenizer__chat_template=(F32, 1.0)),
        changed(general__file_type=(STRING, "Q4_1")),
        changed(general__file_type=(F32, float("nan"))),
        changed(general__file_type=(F32, float("inf"))),
        changed(general__file_type=(BOOL, True)),
        changed(llama__context_length=None),
        changed(llama__context_length=(U32, 0)),
        changed(llama__context_length=(U64, HUGE)),
        changed(llama__context_length=(STRING, "2048")),
        changed(llama__context_length=(F32, 2048.0)),
        changed(llama__context_length=(BOOL, True)),
    ],
)
def test_what_is_wrong_is_refused_soon_and_without_memory(data: bytes, file: Path) -> None:
    file.write_bytes(data)
    started = time.process_time()
    tracemalloc.start()
    try:
        with pytest.raises(ModelError) as refused:
            read_gguf_header(file)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert refused.value.detail
    assert "\n" not in refused.value.detail
    assert peak < 32 << 20
    assert time.process_time() - started < 2


def test_long_texts_that_nobody_asked_for_take_no_memory(file: Path) -> None:
    big = "x" * (1 << 20)
    pairs = [(f"extra.{number}", STRING, big) for number in range(40)]
    file.write_bytes(header(*pairs, *PAIRS))
    tracemalloc.start()
    try:
        assert read_gguf_header(file).name == "Heron"
        assert tracemalloc.get_traced_memory()[1] < 12 << 20
    finally:
        tracemalloc.stop()


def test_texts_of_a_file_reach_no_page_with_controls_or_without_end(file: Path) -> None:
    file.write_bytes(changed(general__name=(STRING, "He\x1b[31mr\non\u202e" + "x" * 1000)))
    name = read_gguf_header(file).name
    assert name.startswith("He[31mronx")
    assert len(name) == 120
    file.write_bytes(changed(general__name=(STRING, b"\xff\xfebroken")))
    assert read_gguf_header(file).name.endswith("broken")


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.gguf", tmp_path):
        with pytest.raises(ModelError, match="cannot be read"):
            read_gguf_header(path)
