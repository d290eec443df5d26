"""Worker and server are killed in the middle of things."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from tests.client import Client, Stopwatch
from tests.portal import PortalProcess


@pytest.mark.model
async def test_a_killed_worker_fails_the_turn_and_the_next_one_works_within_5_s(
    portal: PortalProcess, member: Client
) -> None:
    async with member.socket() as socket:
        await socket.ready()
        await socket.send("chat.send", conversation=None, text="Write a long story about a mountain.")
        turn = await socket.read_turn(until_seq=5)
        portal.worker.kill()
        turn = await socket.read_turn(turn)
        assert turn.end["type"] == "turn.done"
        assert turn.end["status"] == "failed"
        assert "unexpectedly" in turn.end["message"]
        watch = Stopwatch()
        turn = await socket.ask("Say hi.")
        assert turn.end["status"] in {"complete", "length"}
        assert turn.frames[-1]["timings"]["first_token_ms"] < 5000
        assert watch.seconds < 15
    portal.wait_ready(5)


async def test_a_worker_that_stands_by_takes_over_and_the_operator_sees_it(tmp_path: Path) -> None:
    portal = PortalProcess(
        tmp_path / "data", PORTAL_ENGINE="scripted", PORTAL_SCRIPTED_MS="5", PORTAL_STANDBY="on"
    ).start()
    try:
        client, operator = (
            Client(portal.url).sign_in("member").agree(),
            Client(portal.url).sign_in("operator", organisation=""),
        )
        for _ in range(100):
            page = operator.get("/console/installation/").text
            if '<span class="badge" data-tone="ok">ready</span>' in page:
                break
            await asyncio.sleep(0.1)
        first, second = portal.process.children()
        assert str(first.pid) in page
        first.kill()
        async with client.socket() as socket:
            await socket.ready()
            await asyncio.sleep(0.1)
            turn = await socket.ask("one two 3")
        assert turn.end["status"] == "complete"
        assert str(second.pid) in operator.get("/console/installation/").text
    finally:
        portal.stop()


async def test_after_a_killed_server_the_chain_verifies_and_the_turn_is_interrupted(
    own_portal: PortalProcess,
) -> None:
    client = Client(own_portal.url).sign_in("member").agree()
    async with client.socket() as socket:
        await socket.ready()
        await socket.send("chat.send", conversation=None, text="count slowly please")
        turn = await socket.read_turn(until_seq=3)
        worker = own_portal.worker
        own_portal.kill()
    assert not worker.is_running() or worker.status() == "zombie"
    own_portal.start()
    assert own_portal.manage("audit", "verify").returncode == 0
    page = Client(own_portal.url).sign_in("member").get(f"/c/{turn.conversation}/")
    assert "count slowly please" in page.text
    assert 'data-status="interrupted"' in page.text
    with sqlite3.connect(own_portal.data_dir / "portal.sqlite3") as database:
        (count,) = database.execute(
            "SELECT count(*) FROM audit_auditevent WHERE action = 'chat.interrupted'"
        ).fetchone()
    assert count == 1


async def test_a_stop_of_the_server_stores_what_was_said_and_leaves_no_process(
    own_portal: PortalProcess,
) -> None:
    client = Client(own_portal.url).sign_in("member").agree()
    async with client.socket() as socket:
        await socket.ready()
        await socket.send("chat.send", conversation=None, text="count slowly please")
        turn = await socket.read_turn(until_seq=3)
        assert own_portal.stop() == 0
    own_portal.start()
    page = Client(own_portal.url).sign_in("member").get(f"/c/{turn.conversation}/")
    assert 'data-status="stopped"' in page.text


async def test_a_second_start_changes_nothing_and_is_ready_within_5_s(own_portal: PortalProcess) -> None:
    with sqlite3.connect(own_portal.data_dir / "portal.sqlite3") as database:
        before = database.execute("SELECT id, password FROM accounts_user ORDER BY id").fetchall()
    own_portal.stop()
    watch = Stopwatch()
    own_portal.start()
    assert watch.seconds < 5
    with sqlite3.connect(own_portal.data_dir / "portal.sqlite3") as database:
        assert database.execute("SELECT id, password FROM accounts_user ORDER BY id").fetchall() == before
