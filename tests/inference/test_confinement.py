from __future__ import annotations

import os
from pathlib import Path

import pytest

from inference.process import worker_environment
from tests.inference.support import answer, ask, open_pool, scripted, worker_of

ALLOWED = {
    "GLIBC_TUNABLES",
    "LC_ALL",
    "MALLOC_ARENA_MAX",
    "OMP_DYNAMIC",
    "OPENBLAS_NUM_THREADS",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONNOUSERSITE",
    "PYTHONPATH",
}


def environment_and_command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes() + Path(f"/proc/{pid}/cmdline").read_bytes()


def open_files(pid: int) -> dict[int, str]:
    return {int(entry.name): str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir()}


def limits(pid: int) -> dict[str, list[str]]:
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    return {line[:25].strip(): line[25:].split() for line in lines}


async def test_the_environment_of_a_worker_holds_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PORTAL_SECRET", "DATABASE_URL", "REDIS_URL", "QUICKSTART_PASSWORD", "LD_PRELOAD", "HOME"):
        monkeypatch.setenv(name, "canary-1d7f")
    async with open_pool(scripted()) as pool:
        seen = environment_and_command(worker_of(pool))
    assert b"canary-1d7f" not in seen
    assert b"OMP_DYNAMIC=true" in seen
    assert set(worker_environment()) == ALLOWED


async def test_a_worker_holds_no_file_but_its_pipes(tmp_path: Path) -> None:
    secret = os.open(tmp_path / "secret", os.O_CREAT | os.O_RDWR)
    os.set_inheritable(secret, True)
    try:
        async with open_pool(scripted()) as pool:
            await answer(pool, ask("Hello 1"))
            links = open_files(worker_of(pool))
    finally:
        os.close(secret)
    assert {links.pop(number) for number in (0, 1, 2)} == {"/dev/null"}
    assert len(links) == 2
    assert {link.split(":")[0] for link in links.values()} <= {"pipe", "socket"}


async def test_a_worker_leaves_no_core_file_and_cannot_gain_rights() -> None:
    async with open_pool(scripted()) as pool:
        pid = worker_of(pool)
        bounds = limits(pid)
        status = process_status(pid)
    assert bounds["Max core file size"][:2] == ["0", "0"]
    assert "unlimited" not in bounds["Max address space"]
    assert "NoNewPrivs:\t1" in status


def process_status(pid: int) -> str:
    return Path(f"/proc/{pid}/status").read_text()
