"""In production the portal does not start on anything that it cannot rely on, and says why in one line."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from tests.portal import REPOSITORY

GOOD = {
    "PORTAL_MODE": "production",
    "PORTAL_ORIGINS": "https://chat.example.org",
    "DATABASE_URL": "sqlite:///:memory:",
}


def check(tmp_path: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run `manage.py check` under these settings and no others."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PORTAL_", "DATABASE_URL"))
    }
    environment = kept | {"PORTAL_DATA_DIR": str(tmp_path / "data"), "PORTAL_LANGUAGE": "en"} | settings
    command = [sys.executable, "manage.py", "check", *arguments]
    return subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )


def test_a_good_production_passes_djangos_deployment_checks_without_a_warning(tmp_path: Path) -> None:
    key = secrets.token_urlsafe(48)
    (tmp_path / "key").write_text(key)
    result = check(
        tmp_path, "--deploy", "--fail-level", "WARNING", **GOOD, PORTAL_SECRET_KEY_FILE=str(tmp_path / "key")
    )
    assert result.returncode == 0, result.stderr
    assert "no issues" in result.stdout
    assert "WARNING" not in result.stderr
    assert key not in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"PORTAL_SECRET_KEY": ""}, "PORTAL_SECRET_KEY"),
        ({"PORTAL_SECRET_KEY": "django-insecure-" + "abcdefghijkl" * 5}, "PORTAL_SECRET_KEY"),
        ({"PORTAL_ORIGINS": "http://chat.example.org"}, "PORTAL_ORIGINS"),
        ({"DATABASE_URL": "postgresql://u:secret-abcdefghijkl/x@h/d"}, "DATABASE_URL"),
    ],
)
def test_what_cannot_be_relied_on_stops_the_start_in_one_line(
    changes: dict[str, str], name: str, tmp_path: Path
) -> None:
    result = check(tmp_path, **GOOD | {"PORTAL_SECRET_KEY": secrets.token_urlsafe(48)} | changes)
    assert result.returncode != 0
    assert name in result.stderr
    assert result.stderr.strip().count("\n") == 0
    assert "abcdefghijkl" not in result.stderr
    assert not list((tmp_path / "data").rglob("*.key"))
