"""Whoever loses role or account while an answer streams is cut off within a second, by a command in another process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from tests.client import Client
from tests.e2e.test_leaving import wait_for_status
from tests.portal import PASSWORD, PortalProcess

LONG = "long " * 400
CLOSED_WITHIN_S = 1.0


@pytest.fixture(scope="module")
def slow_portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalProcess]:
    """An answer takes longer than any command."""
    process = PortalProcess(
        tmp_path_factory.mktemp("slow") / "data", PORTAL_ENGINE="scripted", PORTAL_SCRIPTED_MS="100"
    )
    yield process.start()
    process.stop()


@pytest.mark.parametrize(
    ("login", "words"), [("loser", ["role", "demo/loser", "officer"]), ("leaver", ["disable", "demo/leaver"])]
)
async def test_the_socket_closes_and_the_turn_stops(
    slow_portal: PortalProcess, login: str, words: list[str]
) -> None:
    slow_portal.add_account(login)
    client = Client(slow_portal.url).sign_in(login).agree()
    async with client.socket() as socket:
        await socket.ready()
        await socket.send("chat.send", conversation=None, text=LONG)
        turn = await socket.read_turn(until_seq=2)
        command = ("account", *words, "--as", "demo/admin")
        await asyncio.to_thread(slow_portal.manage, *command, ACCOUNT_PASSWORD=PASSWORD)
        before = time.monotonic()
        assert await socket.closed_with() == 4401
        assert time.monotonic() - before < CLOSED_WITHIN_S
    await wait_for_status(slow_portal, turn.conversation, "stopped")
    assert "/accounts/login/" in client.get("/privacy/").url
