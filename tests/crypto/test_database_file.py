"""The files of a real database hold no clear text, and processes that start at once agree on one key."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.crypto.probe import CANARIES


@contextmanager
def probe(folder: Path, act: str, tenant_id: uuid.UUID) -> Iterator[subprocess.Popen[str]]:
    """Run the probe; it ends at the latest when the block does."""
    (folder / "data").mkdir(exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.crypto.probe", act, str(tenant_id)],
        env=os.environ
        | {
            "PORTAL_DATA_DIR": str(folder / "data"),
            "DATABASE_URL": f"sqlite:///{folder / 'data' / 'portal.sqlite3'}",
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.communicate(timeout=60)


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def files_holding(folder: Path, text: str) -> list[str]:
    needles = (text.encode(), text.encode("utf-16-le"))
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path.name for path in files if any(needle in path.read_bytes() for needle in needles)]


@pytest.mark.parametrize("state", ["while the portal runs", "after it ended"])
def test_no_file_below_the_data_folder_holds_the_text(tmp_path: Path, state: str) -> None:
    with probe(tmp_path, "write", uuid.uuid4()) as process:
        assert line_of(process) == CANARIES["changed"]
        if state == "while the portal runs":
            assert [path for path in tmp_path.rglob("*-wal") if path.stat().st_size]
            check_files(tmp_path)
    check_files(tmp_path)


def check_files(folder: Path) -> None:
    assert files_holding(folder, "plain-marker"), "the search itself must be able to find something"
    assert not [files for canary in CANARIES.values() if (files := files_holding(folder, canary))]


def test_processes_that_race_for_a_tenants_first_key_agree(tmp_path: Path) -> None:
    tenant_id = uuid.uuid4()
    with probe(tmp_path, "prepare", tenant_id):
        pass
    with (
        probe(tmp_path, "race", tenant_id) as one,
        probe(tmp_path, "race", tenant_id) as two,
        probe(tmp_path, "race", tenant_id) as three,
    ):
        processes = [one, two, three]
        assert [line_of(process) for process in processes] == ["ready"] * 3
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        keys = [line_of(process) for process in processes]
    assert len(keys[0]) == 16
    assert len(set(keys)) == 1
