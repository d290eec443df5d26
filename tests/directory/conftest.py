"""Give the tests of this folder one slapd, and providers that speak to it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from accounts.directory import servers, trying
from tests.directory.slapd import GROUPS, PEOPLE, READER, Slapd


@pytest.fixture(scope="session")
def slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    server = Slapd(tmp_path_factory.mktemp("slapd")).start()
    yield server
    server.stop()


@pytest.fixture
def own_slapd(tmp_path: Path) -> Iterator[Slapd]:
    """Return a server that the test may change and stop."""
    server = Slapd(tmp_path / "slapd").start()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def _nobody_was_silent(settings: Settings) -> None:
    """Ask every server anew, on whatever port it listens."""
    servers.forget_silence()
    trying._tried.clear()
    settings.PORTAL = dataclasses.replace(settings.PORTAL, directory_ports=())


def settings_for(*uris: str, **changes: Any) -> dict[str, Any]:
    """Return what a provider of this company's directory is configured with."""
    plain: dict[str, Any] = {
        "servers": list(uris),
        "security": "none",
        "bind_dn": READER,
        "user_base": PEOPLE,
        "active_filter": "(!(employeeType=disabled))",
        "group_base": GROUPS,
        "connect_s": 2,
        "answer_s": 2,
    }
    return plain | changes
