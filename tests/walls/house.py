"""Serve an installation in which everybody of the table has an account and is signed in."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import websockets

from tests.client import Socket
from tests.portal import REPOSITORY, PortalProcess


class House:
    """A running portal, and the session of each person."""

    def __init__(self, portal: PortalProcess) -> None:
        self.portal = portal
        done = subprocess.run(
            [sys.executable, "-m", "tests.walls.populate"],
            cwd=REPOSITORY,
            env=portal.environment | {"DJANGO_SETTINGS_MODULE": "qwenportal.settings"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        self.sessions: dict[str, str] = json.loads(done.stdout.splitlines()[-1])

    @asynccontextmanager
    async def socket(self, who: str, **headers: str) -> AsyncIterator[Socket]:
        """Open a person's socket, or one of nobody."""
        sent = {"Accept-Language": "en", **headers}
        if who in self.sessions:
            sent["Cookie"] = f"portal_session={self.sessions[who]}"
        address = self.portal.url.replace("http", "ws") + "/ws/chat/"
        async with websockets.connect(
            address, additional_headers=sent, proxy=None, compression=None
        ) as connection:
            yield Socket(connection)


def open_house(folder: Path) -> Iterator[House]:
    """Yield a house whose engine writes a word every 10 ms, and close it."""
    portal = PortalProcess(folder / "data", PORTAL_ENGINE="scripted", PORTAL_SCRIPTED_MS="10")
    try:
        yield House(portal.start())
    finally:
        portal.stop()
