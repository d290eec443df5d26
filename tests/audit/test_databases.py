"""On SQLite and on PostgreSQL: many writers leave no gap, and the database refuses to forget."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.audit.probe import EVENTS_EACH, WRITERS

EVENTS_PER_CHAIN = WRITERS * EVENTS_EACH // 2


def run_probe(folder: Path, **environment: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.audit.probe"],
        env=os.environ | {"PORTAL_DATA_DIR": str(folder / "data")} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return report


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("sqlite")
    (folder / "data").mkdir()
    return run_probe(folder, DATABASE_URL=f"sqlite:///{folder / 'data' / 'portal.sqlite3'}")


@pytest.fixture(scope="module")
def on_postgres(tmp_path_factory: pytest.TempPathFactory, postgres_dsn: str) -> dict[str, Any]:
    return run_probe(tmp_path_factory.mktemp("postgres"), DATABASE_URL=postgres_dsn)


@pytest.fixture(params=["on_sqlite", pytest.param("on_postgres", marks=pytest.mark.postgres)])
def report(request: pytest.FixtureRequest) -> dict[str, Any]:
    found: dict[str, Any] = request.getfixturevalue(request.param)
    return found


def test_the_probe_ran_where_it_should(on_sqlite: dict[str, Any]) -> None:
    assert on_sqlite["vendor"] == "sqlite"


@pytest.mark.postgres
def test_the_probe_ran_on_postgres(on_postgres: dict[str, Any]) -> None:
    assert on_postgres["vendor"] == "postgresql"


def test_writers_at_once_lose_nothing_and_leave_no_gap(report: dict[str, Any]) -> None:
    assert report["errors"] == []
    assert report["lengths"] == [[EVENTS_PER_CHAIN, 0]] * 2


def test_chains_of_writers_at_once_verify(report: dict[str, Any]) -> None:
    assert report["verified"] == [[True, EVENTS_PER_CHAIN, None, ""]] * 2


def test_the_database_refuses_to_change_the_past(report: dict[str, Any]) -> None:
    assert report["allowed"] == []
    assert report["still_whole"] == [True, EVENTS_PER_CHAIN, None, ""]


def test_damage_behind_the_guards_names_the_first_bad_event(report: dict[str, Any]) -> None:
    assert report["damaged"] == [False, 6, 7, "altered", True]
