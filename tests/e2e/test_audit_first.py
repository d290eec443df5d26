"""A turn that cannot be recorded does not run."""

from __future__ import annotations

import asyncio
import sqlite3

from tests.client import Client
from tests.portal import PortalProcess


async def test_a_turn_that_cannot_be_recorded_is_refused_and_stores_nothing(
    own_portal: PortalProcess,
) -> None:
    client = Client(own_portal.url).sign_in("member").agree()
    database = own_portal.data_dir / "portal.sqlite3"
    async with client.socket() as socket:
        await socket.ready()
        with sqlite3.connect(database) as connection:
            connection.execute("ALTER TABLE audit_auditevent RENAME TO hidden")
        turn = await socket.ask("nobody would know of this")
        assert (turn.end["type"], turn.end["code"]) == ("turn.refused", "audit_unavailable")
        assert turn.text == ""
        with sqlite3.connect(database) as connection:
            assert connection.execute("SELECT count(*) FROM chat_message").fetchone() == (0,)
            connection.execute("ALTER TABLE hidden RENAME TO audit_auditevent")
        assert (await socket.ask("now it is recorded")).end["status"] == "complete"


async def test_a_sign_out_that_cannot_be_recorded_ends_session_and_chats_all_the_same(
    own_portal: PortalProcess,
) -> None:
    client = Client(own_portal.url).sign_in("member").agree()
    page = "/privacy/"
    async with client.socket() as socket:
        await socket.ready()
        client.get(page)
        with sqlite3.connect(own_portal.data_dir / "portal.sqlite3") as connection:
            connection.execute("ALTER TABLE audit_auditevent RENAME TO hidden")
        refused = client.post("/accounts/logout/", form_on=page)
        assert refused.status == 503
        assert await asyncio.wait_for(socket.closed_with(), 10) == 4401
    assert "/accounts/login/" in client.get(page).url


async def test_an_answer_whose_end_cannot_be_recorded_is_not_shown_as_complete(
    own_portal: PortalProcess,
) -> None:
    client = Client(own_portal.url).sign_in("member").agree()
    database = own_portal.data_dir / "portal.sqlite3"
    async with client.socket() as socket:
        await socket.ready()
        await socket.send("chat.send", conversation=None, text="count to some number")
        turn = await socket.read_turn(until_seq=2)
        with sqlite3.connect(database) as connection:
            connection.execute("ALTER TABLE audit_auditevent RENAME TO hidden")
        turn = await socket.read_turn(turn)
        assert (turn.end["type"], turn.end["code"]) == ("turn.refused", "audit_unavailable")
        with sqlite3.connect(database) as connection:
            connection.execute("ALTER TABLE hidden RENAME TO audit_auditevent")
            assert connection.execute("SELECT status FROM chat_message WHERE author = 'ai'").fetchone() == (
                "running",
            )
    own_portal.stop()
    own_portal.start()
    page = Client(own_portal.url).sign_in("member").get(f"/c/{turn.conversation}/").text
    assert 'data-status="interrupted"' in page
