"""Worker and server are killed in the middle of things."""

from __future__ import annotations

import sqlite3

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
