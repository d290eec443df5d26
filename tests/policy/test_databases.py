"""On SQLite and on PostgreSQL the database refuses what the program refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.audit.conftest import postgres_dsn  # noqa: F401 - a fixture


def run_probe(folder: Path, **environment: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.policy.probe"],
        env=os.environ | {"PORTAL_DATA_DIR": str(folder / "data")} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return report


def judge(report: dict[str, Any], vendor: str) -> None:
    assert report == {
        "vendor": vendor, "words": ["salary"], "missing": [], "allowed": [], "draft_changes": True,
    }  # fmt: skip


def test_sqlite_keeps_what_was_published(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    judge(run_probe(tmp_path, DATABASE_URL=f"sqlite:///{tmp_path / 'data' / 'portal.sqlite3'}"), "sqlite")


@pytest.mark.postgres
def test_postgresql_keeps_what_was_published(
    tmp_path: Path,
    postgres_dsn: str,  # noqa: F811 - the fixture
) -> None:
    judge(run_probe(tmp_path, DATABASE_URL=postgres_dsn), "postgresql")
