"""Start installations: one with the starter model, one with the scripted engine, for the whole session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client import Client
from tests.portal import PortalProcess


@pytest.fixture(scope="session")
def portal(tmp_path_factory: pytest.TempPathFactory, starter_model: Path) -> Iterator[PortalProcess]:
    """The portal with a real model."""
    process = PortalProcess(tmp_path_factory.mktemp("real") / "data", PORTAL_MODEL=str(starter_model))
    yield process.start()
    process.stop()


@pytest.fixture(scope="session")
def fast_portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalProcess]:
    """The portal with the scripted engine, 10 ms a token."""
    process = PortalProcess(
        tmp_path_factory.mktemp("scripted") / "data", PORTAL_ENGINE="scripted", PORTAL_SCRIPTED_MS="10"
    )
    yield process.start()
    process.stop()


@pytest.fixture
def own_portal(tmp_path: Path) -> Iterator[PortalProcess]:
    """A scripted portal for one test alone, which it may break."""
    process = PortalProcess(tmp_path / "data", PORTAL_ENGINE="scripted", PORTAL_SCRIPTED_MS="20")
    yield process.start()
    process.stop()


@pytest.fixture
def member(portal: PortalProcess) -> Client:
    """The member of `demo`, signed in and consenting, at the portal with a real model."""
    client = Client(portal.url).sign_in("member")
    return client.agree() if "/consent/" in client.get("/").url else client


@pytest.fixture
def fast_member(fast_portal: PortalProcess) -> Client:
    """The same at the scripted portal."""
    client = Client(fast_portal.url).sign_in("member")
    return client.agree() if "/consent/" in client.get("/").url else client
