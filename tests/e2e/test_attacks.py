"""What an attacker with time has tried, and what must come of it."""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest
import websockets

from tests.client import Client
from tests.portal import PASSWORD, PortalProcess


def test_parallel_attempts_get_no_more_comparisons_than_one_after_the_other(
    own_portal: PortalProcess,
) -> None:
    def attempt(password: str) -> int:
        client = Client(own_portal.url)
        return client.post("/accounts/login/", organisation="demo", login="member", password=password).status

    with ThreadPoolExecutor(12) as threads:
        statuses = list(threads.map(attempt, [f"wrong password {number}" for number in range(12)]))
    assert set(statuses) <= {200, 429}
    assert count_of(own_portal, "auth.login_failed") <= 5
    # On a slow machine some were asked to wait before anything was compared: the rest of the five follow now.
    assert 429 in [attempt(f"wrong password again {number}") for number in range(6)]
    assert attempt(PASSWORD) == 429
    assert count_of(own_portal, "auth.login_failed") == 4  # the fifth is the lockout
    assert count_of(own_portal, "auth.lockout") == 1


def count_of(portal: PortalProcess, action: str) -> int:
    with sqlite3.connect(portal.data_dir / "portal.sqlite3") as database:
        query = "SELECT count(*) FROM audit_auditevent WHERE action = ?"
        return int(database.execute(query, [action]).fetchone()[0])


def test_declining_takes_a_standing_consent_back(own_portal: PortalProcess) -> None:
    client = Client(own_portal.url).sign_in("member").agree()
    client.post("/consent/", decision="decline")
    assert "/consent/" in client.sign_in("member").get("/").url


async def test_a_stop_closes_open_sockets_with_1012_and_is_recorded(own_portal: PortalProcess) -> None:
    client = Client(own_portal.url).sign_in("member").agree()
    async with client.socket() as first, client.socket() as second:
        await first.ready()
        await second.ready()
        stopping = asyncio.create_task(asyncio.to_thread(own_portal.stop))
        assert [await first.closed_with(), await second.closed_with()] == [1012, 1012]
        assert await stopping == 0
    with sqlite3.connect(own_portal.data_dir / "portal.sqlite3") as database:
        query = "SELECT count(*) FROM audit_auditevent WHERE action = 'portal.stop'"
        assert database.execute(query).fetchone() == (1,)


async def test_one_damaged_title_does_not_take_the_other_conversations_along(
    own_portal: PortalProcess,
) -> None:
    client = Client(own_portal.url).sign_in("member").agree()
    async with client.socket() as socket:
        await socket.ready()
        damaged = await socket.ask("first one")
        whole = await socket.ask("second one")
    key = damaged.conversation.replace("-", "")
    with sqlite3.connect(own_portal.data_dir / "portal.sqlite3") as database:
        database.execute("UPDATE chat_conversation SET title = x'ff' || title WHERE id = ?", [key])
        database.execute("UPDATE chat_message SET body = x'ff' || body WHERE conversation_id = ?", [key])
    assert client.get("/").status == 200
    assert "second one" in client.get(f"/c/{whole.conversation}/").text
    page = f"/c/{damaged.conversation}/"
    assert "cannot be opened" in client.get(page).text
    client.post(f"{page}delete/", form_on=page)
    assert client.get(page).status == 404


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit_auditevent SET action = x'ff' || action WHERE seq = 2",
        "UPDATE audit_auditevent SET hash = x'c3' || hash WHERE seq = 2",
        "UPDATE audit_auditevent SET status = 'abc' WHERE seq = 2",
    ],
)
def test_verify_names_an_event_whose_bytes_are_no_text_any_more(
    own_portal: PortalProcess, change: str
) -> None:
    Client(own_portal.url).sign_in("member")
    own_portal.stop()
    with sqlite3.connect(own_portal.data_dir / "portal.sqlite3") as database:
        triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'audit_event%'"
        for (name,) in database.execute(triggers).fetchall():
            database.execute(f"DROP TRIGGER {name}")
        database.execute(change)
    found = own_portal.manage("audit", "verify", check=False)
    assert found.returncode == 1
    assert "Traceback" not in found.stdout + found.stderr
    assert "2" in found.stdout + found.stderr


async def test_unknown_websocket_addresses_are_denied_without_a_trace(fast_portal: PortalProcess) -> None:
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with websockets.connect(f"{fast_portal.url.replace('http', 'ws')}/ws/else/", proxy=None):
            pass
    assert refused.value.response.status_code == 403
    assert "ERROR" not in fast_portal.log.read_text()


async def test_an_entity_in_an_answer_stays_as_it_is_written(fast_member: Client) -> None:
    async with fast_member.socket() as socket:
        await socket.ready()
        turn = await socket.ask("保本&#20445;息 and 1381234&#53;678")
    assert "保本保息" not in turn.end["html"]
    assert "13812345678" not in turn.end["html"]


async def test_too_many_questions_of_one_person_close_the_socket(fast_portal: PortalProcess) -> None:
    fast_portal.add_account("flooder")
    client = Client(fast_portal.url).sign_in("flooder").agree()
    async with client.socket() as first, client.socket() as second:
        await first.ready()
        await second.ready()
        for _ in range(25):
            await first.send("chat.send", conversation=None, text="again")
            await second.send("chat.send", conversation=None, text="again")
        codes = await asyncio.gather(first.closed_with(), second.closed_with())
    assert 4429 in codes
