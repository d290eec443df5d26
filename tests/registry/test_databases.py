"""On SQLite and on PostgreSQL: earlier artefacts come along, and the database refuses what the program refuses."""

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
        [sys.executable, "-m", "tests.registry.probe"],
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
def on_postgres(
    tmp_path_factory: pytest.TempPathFactory,
    postgres_dsn: str,  # noqa: F811 - the fixture
) -> dict[str, Any]:
    return run_probe(tmp_path_factory.mktemp("postgres"), DATABASE_URL=postgres_dsn)


@pytest.fixture(
    params=[
        ("on_sqlite", "sqlite"),
        pytest.param(("on_postgres", "postgresql"), marks=pytest.mark.postgres),
    ],
    ids=["sqlite", "postgres"],
)
def report(request: pytest.FixtureRequest) -> dict[str, Any]:
    fixture, vendor = request.param
    found: dict[str, Any] = request.getfixturevalue(fixture)
    assert found["vendor"] == vendor
    return found


def test_earlier_artefacts_are_numbered_and_the_one_in_use_stays_under_a_waiver(
    report: dict[str, Any],
) -> None:
    assert report["earlier"] == [[1, "a", "imported", 0], [2, "b", "active", 1], [3, "c", "imported", 0]]


def test_a_life_runs_through(report: dict[str, Any]) -> None:
    kinds = ["activate", "approve", "submit", "evaluate", "import"]
    assert report["life"] == ["active", "submitted", *kinds]


def test_imports_at_once_get_a_number_each_and_the_same_file_one_row(report: dict[str, Any]) -> None:
    assert report["at_once"] == [4, 4]


def test_an_evaluation_is_stopped_goes_on_and_is_compared(report: dict[str, Any]) -> None:
    assert report["evaluation"] == ["stopped", 3, True, "complete", 8, True, 0]


def test_the_database_refuses_to_change_what_was_decided(report: dict[str, Any]) -> None:
    assert report["missing"] == []
    assert report["allowed"] == []
    assert report["changes"] is True
    assert "the submitter cannot decide" in report["second"]
