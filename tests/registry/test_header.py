"""The reader of model files trusts nothing in them: whatever is wrong is its own error, soon and in little memory."""

from __future__ import annotations

import random
import struct
import time
import tracemalloc
from pathlib import Path

import pytest

from inference.gguf import MAX_ARRAY_ITEMS, MAX_PAIRS, MAX_TENSORS
from inference.inspection import Inspection, InspectionError, inspect_file, read_inspection
from tests.registry.support import (
    ARRAY,
    BOOL,
    F32,
    PAIRS,
    STRING,
    TENSOR,
    U8,
    U32,
    U64,
    changed,
    header,
    model_bytes,
    table,
    text,
)

HUGE = (1 << 63) - 1


def read_gguf_header(path: Path) -> Inspection:
    """Read in this process, as the child does in its own."""
    with path.open("rb") as file:
        return read_inspection(file, file_bytes=path.stat().st_size)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "model.gguf"


def test_a_good_header_is_read(file: Path) -> None:
    file.write_bytes(model_bytes())
    read = inspect_file(file, sandbox="best-effort")
    assert read == read_gguf_header(file)
    assert (read.name, read.architecture, read.quantisation, read.context_tokens) == (
        "Heron",
        "llama",
        "Q4_1",
        2048,
    )
    assert (read.licence, read.chat_template, read.parameter_count) == (
        "Apache-2.0",
        "{{ messages }}",
        1024,
    )
    assert len(read.tokenizer_digest) == 64


def test_what_may_be_missing_may_be_missing(file: Path) -> None:
    without = changed(general__name=None, general__file_type=None, tokenizer__chat_template=None)
    file.write_bytes(without)
    read = read_gguf_header(file)
    assert (read.name, read.quantisation, read.chat_template) == ("", "?", "")


def test_a_header_cut_off_at_any_byte_is_refused(file: Path) -> None:
    whole = model_bytes()
    for length in (*range(1000), len(whole) - 4000):
        file.write_bytes(whole[:length])
        with pytest.raises(InspectionError):
            read_gguf_header(file)


def test_a_header_with_any_byte_changed_is_read_or_refused(file: Path) -> None:
    whole, rng = model_bytes(), random.Random(1)
    for at in range(1000):
        for other in {255, whole[at] ^ 128, rng.randrange(256)}:
            file.write_bytes(whole[:at] + bytes([other]) + whole[at + 1 :])
            read_or_refuse(file)


def test_random_bytes_are_refused(file: Path) -> None:
    rng = random.Random(2)
    for size in [0, 1, 3, 4, 23, 24, 100, 5000] * 20:
        file.write_bytes(rng.randbytes(size))
        with pytest.raises(InspectionError):
            read_gguf_header(file)
        file.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, rng.randrange(1, 200)) + rng.randbytes(size))
        read_or_refuse(file)


def read_or_refuse(file: Path) -> None:
    """Anything but a header or a InspectionError fails the test."""
    try:
        read_gguf_header(file)
    except InspectionError as error:
        assert str(error)  # noqa: PT017 (either is right)


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
        changed(llama__context_length=(U32, 1)),
        changed(llama__context_length=(U32, 127)),
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
        with pytest.raises(InspectionError) as refused:
            read_gguf_header(file)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert str(refused.value)
    assert "\n" not in str(refused.value)
    assert peak < 32 << 20
    assert time.process_time() - started < 2


def test_long_texts_that_nobody_asked_for_take_no_memory(file: Path) -> None:
    big = "x" * (1 << 20)
    pairs = [(f"extra.{number}", STRING, big) for number in range(40)]
    file.write_bytes(table(header(*pairs, *PAIRS), TENSOR))
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
        with pytest.raises(InspectionError, match="cannot be read"):
            inspect_file(path, sandbox="best-effort")


# --- the table of tensors -------------------------------------------------------------------------------------------
Q4_0, UNKNOWN = 2, 4


@pytest.mark.parametrize(
    ("tensors", "reason"),
    [
        ([], "number of tensors"),
        ([(b"w", (1024,), UNKNOWN, 0)], "unknown type"),
        ([(b"w", (1024,), 1 << 31, 0)], "unknown type"),
        ([(b"", (1024,), 0, 0)], "no name"),
        ([(b"w", (), 0, 0)], "dimensions"),
        ([(b"w", (2,) * 5, 0, 0)], "dimensions"),
        ([(b"w", (0,), 0, 0)], "size"),
        ([(b"w", (1 << 63,), 0, 0)], "size"),
        ([(b"w", (1 << 32, 1 << 32), 0, 0)], "size"),
        ([(b"w", (33,), Q4_0, 0)], "rows"),
        ([(b"w", (1024,), 0, 8)], "aligned"),
        ([(b"w", (1024,), 0, 1 << 20)], "outside"),
        ([(b"w", (1024,), 0, HUGE - 31)], "outside"),
        ([(b"w", (4096,), 0, 0)], "outside"),
        ([(b"w", (1024,), 0, 0), (b"v", (32,), 0, 32)], "over each other"),
        ([(b"w", (32,), 0, 0), (b"w", (32,), 0, 128)], "twice"),
        ([(b"w" * 65, (32,), 0, 0)], "too long"),
    ],
)
def test_a_table_of_tensors_that_does_not_fit_the_file_is_refused(
    tensors: list[tuple[bytes, tuple[int, ...], int, int]], reason: str, file: Path
) -> None:
    file.write_bytes(table(header(*PAIRS), *tensors))
    with pytest.raises(InspectionError, match=reason):
        read_gguf_header(file)


def test_too_many_tensors_are_refused_before_they_are_read(file: Path) -> None:
    data = table(header(*PAIRS), TENSOR)
    file.write_bytes(data[:8] + struct.pack("<Q", MAX_TENSORS + 1) + data[16:])
    with pytest.raises(InspectionError, match="number of tensors"):
        read_gguf_header(file)


@pytest.mark.parametrize("alignment", [0, 1, 4, 33, 1 << 17])
def test_an_alignment_out_of_bounds_is_refused(alignment: int, file: Path) -> None:
    file.write_bytes(changed(general__alignment=(U32, alignment)))
    with pytest.raises(InspectionError, match="alignment"):
        read_gguf_header(file)


@pytest.mark.parametrize(
    ("pairs", "reason"),
    [
        ((*PAIRS, PAIRS[0]), "twice"),
        ((*PAIRS, ("bad key", U8, 1)), "no key"),
        ((*PAIRS, ("", U8, 1)), "no key"),
        ((*PAIRS, ("split.count", U32, 3)), "several"),
        ((*PAIRS, ("general.flag", U8, 1), ("x", ARRAY, (ARRAY, []))), "list of"),
    ],
)
def test_keys_that_stand_twice_or_are_none_are_refused(
    pairs: tuple[tuple[str, int, object], ...], reason: str, file: Path
) -> None:
    file.write_bytes(table(header(*pairs), TENSOR))
    with pytest.raises(InspectionError, match=reason):
        read_gguf_header(file)


def test_the_tokenizers_digest_depends_on_the_tokenizer_and_not_on_the_order(file: Path) -> None:
    def digest(*pairs: tuple[str, int, object]) -> str:
        file.write_bytes(table(header(*pairs), TENSOR))
        return read_gguf_header(file).tokenizer_digest

    first = digest(*PAIRS)
    assert digest(*reversed(PAIRS)) == first
    template = tuple(pair for pair in PAIRS if pair[0] != "tokenizer.chat_template")
    assert digest(*template) == first
    tokens = ("tokenizer.ggml.tokens", ARRAY, (STRING, ["a", "鹭", "b"]))
    assert digest(tokens, *(pair for pair in PAIRS if pair[0] != tokens[0])) != first


# --- from before GGUF -----------------------------------------------------------------------------------------------
def test_old_files_say_what_can_be_known(file: Path) -> None:
    for magic, version, architecture, context in (
        (b"lmgg", 50257, "", 1024),
        (b"tjgg", 3, "llama", 2048),
        (b"fmgg", 1, "llama", 2048),
    ):
        file.write_bytes(magic + struct.pack("<II", version, 1024) + bytes(4096))
        read = inspect_file(file, sandbox="best-effort")
        assert (read.format, read.architecture, read.context_tokens) == ("ggml", architecture, context)
    for data in (b"lmgg", b"lmgg" + bytes(4096), b"lmgg" + b"\xff" * 4096, b"algg" + bytes(4096)):
        file.write_bytes(data)
        with pytest.raises(InspectionError):
            read_gguf_header(file)
