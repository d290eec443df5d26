"""Small secrets lie in files that only their owner reads, and all who start at once get the same."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from common.secrets import read_or_create_secret
from tests.portal import REPOSITORY

PROGRAM = (
    "import sys, pathlib, common.secrets as s; print(s.read_or_create_secret(pathlib.Path(sys.argv[1])))"
)


def test_a_secret_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "signing.key"
    old = os.umask(0)
    try:
        secret = read_or_create_secret(path)
    finally:
        os.umask(old)
    assert len(secret) == 64
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert read_or_create_secret(path) == secret
    assert list(path.parent.iterdir()) == [path]


def test_two_secrets_differ(tmp_path: Path) -> None:
    assert read_or_create_secret(tmp_path / "a") != read_or_create_secret(tmp_path / "b")


def test_threads_that_start_at_once_agree(tmp_path: Path) -> None:
    for number in range(20):
        path = tmp_path / f"{number}.key"
        with ThreadPoolExecutor(8) as pool:
            assert len(set(pool.map(read_or_create_secret, [path] * 8))) == 1
        assert path.stat().st_mode & 0o777 == 0o600
    assert len(list(tmp_path.iterdir())) == 20


def test_processes_that_start_at_once_agree(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "signing.key")]
    running = [subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    results = {process.communicate(timeout=30)[0] for process in running}
    assert len(results) == 1
    assert len(results.pop().strip()) == 64


def test_what_a_crash_left_behind_does_not_stop_the_next_start(tmp_path: Path) -> None:
    """In a container every start has the same process number."""
    path = tmp_path / "signing.key"
    (tmp_path / f"signing.key.{os.getpid()}").write_text("half of a sec")
    assert len(read_or_create_secret(path)) == 64
