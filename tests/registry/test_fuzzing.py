"""Whatever stands in a model file: its reader answers or refuses, soon and in little memory; the portal lives on."""

from __future__ import annotations

import io
import random
import struct
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from inference import inspection
from inference.gguf import GgufError, read_header
from inference.inspection import InspectionError, inspect_file, read_inspection
from registry.errors import ModelError
from registry.models import ModelArtifact
from registry.services import import_file
from tests.registry.support import model_bytes

MUTATIONS, MEASURED, LARGE, PROCESSES = 3000, 200, 5, 4
VOCABULARY_KEPT = 40
INTERESTING = (0, 1, 8, 9, 0x7F, 0xFF, 1 << 16, 1 << 31, (1 << 32) - 1, (1 << 63) - 1, (1 << 64) - 1)


def real_header(starter_model: Path) -> bytes:
    """Return the starter model's header, up to its tensor table and including it."""
    with starter_model.open("rb") as file:
        size = starter_model.stat().st_size
        read_header(file, file_bytes=size)
        return starter_model.read_bytes()[: file.tell()]


def shortened(whole: bytes) -> bytes:
    """Return the same header with a small vocabulary, so that thousands of mutations take seconds."""
    result = bytearray(whole[:24])
    at = 24
    for _index in range(struct.unpack_from("<Q", whole, 16)[0]):
        start = at
        at += 8 + struct.unpack_from("<Q", whole, at)[0]
        (kind,) = struct.unpack_from("<I", whole, at)
        at += 4
        if kind == 8:
            at += 8 + struct.unpack_from("<Q", whole, at)[0]
        elif kind == 9:
            inner, count = struct.unpack_from("<IQ", whole, at)
            head, at = at, at + 12
            kept = min(count, VOCABULARY_KEPT)
            for number in range(count):
                if number == kept:
                    end = at
                at += 8 + struct.unpack_from("<Q", whole, at)[0] if inner == 8 else 4
            end = at if kept == count else end
            result += whole[start:head] + struct.pack("<IQ", inner, kept) + whole[head + 12 : end]
            continue
        else:
            at += {0: 1, 1: 1, 2: 2, 3: 2, 7: 1, 10: 8, 11: 8, 12: 8}.get(kind, 4)
        result += whole[start:at]
    return bytes(result + whole[at:])


def mutate(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _change in range(rng.choice((1, 1, 1, 2, 5, 20))):
        at = rng.randrange(len(changed))
        kind = rng.randrange(6)
        if kind == 0:
            changed[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            changed[at : at + 8] = struct.pack("<Q", rng.choice(INTERESTING))
        elif kind == 2:
            changed[at : at + 4] = struct.pack("<I", rng.choice(INTERESTING) & 0xFFFFFFFF)
        elif kind == 3:
            del changed[at : at + rng.randrange(1, 64)]
        elif kind == 4:
            changed[at:at] = changed[at : at + rng.randrange(1, 64)]
        else:
            changed[at : at + 16] = rng.randbytes(16)
        if len(changed) < 2:
            break
    return bytes(changed)


def is_taken(data: bytes, *, file_bytes: int) -> bool:
    """Return whether the reader takes it; anything but its own error fails the test."""
    try:
        read_inspection(io.BytesIO(data), file_bytes=file_bytes)
    except InspectionError:
        return False
    return True


@pytest.mark.model
def test_thousands_of_damaged_headers_are_read_or_refused(starter_model: Path) -> None:
    size = starter_model.stat().st_size
    whole = real_header(starter_model)
    small = shortened(whole)
    assert is_taken(whole, file_bytes=size)
    assert is_taken(small, file_bytes=size)
    rng = random.Random(20261124)
    started = time.process_time()
    taken = sum(is_taken(mutate(small, rng), file_bytes=size) for _number in range(MUTATIONS))
    tracemalloc.start()  # slows everything down
    for data in (*[small] * MEASURED, *[whole] * LARGE):
        is_taken(mutate(data, rng), file_bytes=size)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 0 < taken < MUTATIONS  # it is neither blind nor broken
    assert peak < 64 << 20
    assert time.process_time() - started < 60


def test_random_headers_raise_nothing_but_the_readers_own_error() -> None:
    rng = random.Random(7)
    for _number in range(2000):
        data = b"GGUF" + struct.pack("<IQQ", 3, rng.randrange(3), rng.randrange(40)) + rng.randbytes(300)
        with pytest.raises(GgufError):
            read_header(io.BytesIO(data), file_bytes=len(data))


def test_damaged_files_leave_the_portal_and_its_store_as_they_were(store: Path, tmp_path: Path) -> None:
    rng = random.Random(11)
    path = tmp_path / "model.gguf"
    good = model_bytes()
    refused = 0
    for _number in range(PROCESSES):
        path.write_bytes(mutate(good[:700], rng) + good[700:])
        try:
            import_file(path, source="a disk")
        except ModelError:
            refused += 1
    assert refused
    assert ModelArtifact.objects.count() == PROCESSES - refused
    stored = {file.name for file in store.iterdir()} if store.exists() else set()
    assert stored == {artifact.path.name for artifact in ModelArtifact.objects.all()}


def broken(body: str) -> Callable[[pytest.MonkeyPatch, Path], None]:
    def install(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        program = folder / "reader"
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(program))

    return install


@pytest.mark.parametrize(
    "body",
    [
        "kill -SEGV $$",
        "exit 1",
        "echo not json",
        "echo '[]'",
        "echo '{}'",
        """echo '{"error": 5}'""",
        "head -c 2000000 /dev/zero",
    ],
)
def test_a_reader_that_dies_or_babbles_is_an_error_and_nothing_is_kept(
    body: str, store: Path, model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(body)(monkeypatch, tmp_path)
    with pytest.raises(ModelError):
        import_file(model_file, source="a disk")
    assert not ModelArtifact.objects.exists()
    assert not store.exists() or list(store.iterdir()) == []


def test_a_reader_that_hangs_is_ended(
    model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken("exec sleep 60")(monkeypatch, tmp_path)
    monkeypatch.setattr(inspection, "TIMEOUT_S", 0.2)
    with pytest.raises(InspectionError, match="too long"):
        inspect_file(model_file, sandbox="best-effort")


def test_the_reader_can_open_nothing_and_start_nothing(
    model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run, in the reader's place, a program that confines itself as the reader does and then tries to get out."""
    program = tmp_path / "reader"
    program.write_text(
        "#!/bin/sh\nexec "
        + sys.executable
        + """ -c '
import json, os, socket
from inference import inspection
inspection._confine("strict")
found = []
for name, attempt in {
    "open": lambda: open("/etc/passwd"),
    "write": lambda: os.open("/tmp/x", os.O_CREAT | os.O_WRONLY),
    "socket": lambda: socket.socket(),
    "memory": lambda: bytearray(2 << 30),
}.items():
    try:
        attempt()
        found.append(name)
    except (OSError, MemoryError):
        pass
print(json.dumps({"error": "got out: " + ",".join(found)}))
'
"""
    )
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    with pytest.raises(InspectionError, match=r"got out: $"):
        inspect_file(model_file, sandbox="best-effort")
