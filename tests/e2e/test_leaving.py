"""Withdrawing and signing out take effect whether or not a socket is open; nothing is left of a broken socket."""

from __future__ import annotations

import asyncio
import re
import sqlite3

from tests.client import Client
from tests.portal import PortalProcess

LONG = "long " * 200


async def start_and_leave(client: Client, *, temporary: bool = False) -> str:
    """Begin a long answer, close the socket, and return the conversation."""
    async with client.socket() as socket:
        await socket.ready()
        await socket.send("chat.send", conversation=None, text=LONG, temporary=temporary)
        turn = await socket.read_turn(until_seq=2)
    return turn.conversation


async def wait_for_status(portal: PortalProcess, conversation: str, status: str) -> None:
    for _ in range(60):
        with sqlite3.connect(portal.data_dir / "portal.sqlite3") as database:
            query = "SELECT status FROM chat_message WHERE author = 'ai' AND conversation_id = ?"
            if database.execute(query, [conversation.replace("-", "")]).fetchone() == (status,):
                return
        await asyncio.sleep(0.05)
    raise AssertionError(f"not {status} in time")


async def test_withdrawing_stops_a_turn_that_has_no_socket(fast_portal: PortalProcess) -> None:
    fast_portal.add_account("withdrawer")
    client = Client(fast_portal.url).sign_in("withdrawer").agree()
    conversation = await start_and_leave(client)
    client.post("/consent/withdraw/", form_on="/privacy/")
    await wait_for_status(fast_portal, conversation, "stopped")


async def test_deleting_a_conversation_ends_the_answer_that_is_being_written_in_it(
    fast_portal: PortalProcess,
) -> None:
    fast_portal.add_account("deleter")
    client = Client(fast_portal.url).sign_in("deleter").agree()
    async with client.socket() as socket:
        await socket.ready()
        await socket.send("chat.send", conversation=None, text=LONG)
        turn = await socket.read_turn(until_seq=2)
        client.post(f"/c/{turn.conversation}/delete/", form_on="/")
        turn = await socket.read_turn(turn)
    assert turn.end["status"] == "stopped"


async def test_a_temporary_chat_is_forgotten_at_sign_out_even_in_mid_answer(
    fast_portal: PortalProcess,
) -> None:
    fast_portal.add_account("forgetter")
    client = Client(fast_portal.url).sign_in("forgetter").agree()
    conversation = await start_and_leave(client, temporary=True)
    client.post("/accounts/logout/", form_on="/")
    await asyncio.sleep(0.5)
    client.sign_in("forgetter")
    async with client.socket() as socket:
        await socket.ready()
        turn = await socket.ask("again", conversation=conversation, temporary=True)
    assert (turn.end["type"], turn.end["code"]) == ("error", "not_found")


async def test_clearing_forgets_temporary_chats_too(fast_portal: PortalProcess) -> None:
    fast_portal.add_account("clearer")
    client = Client(fast_portal.url).sign_in("clearer").agree()
    async with client.socket() as socket:
        await socket.ready()
        first = await socket.ask("for now", temporary=True)
        client.post("/c/clear/", form_on="/privacy/", confirm="delete")
        turn = await socket.ask("again", conversation=first.conversation, temporary=True)
    assert turn.end["code"] == "not_found"


async def test_an_answer_whose_turn_could_not_be_closed_is_settled_when_it_is_next_looked_at(
    own_portal: PortalProcess,
) -> None:
    client = Client(own_portal.url).sign_in("member").agree()
    async with client.socket() as socket:
        await socket.ready()
        first = await socket.ask("one two")
        with sqlite3.connect(own_portal.data_dir / "portal.sqlite3") as database:
            database.execute("UPDATE chat_message SET status = 'running' WHERE author = 'ai'")
        again = await socket.ask("three", conversation=first.conversation)
        assert again.end["status"] == "complete"
        with sqlite3.connect(own_portal.data_dir / "portal.sqlite3") as database:
            database.execute("UPDATE chat_message SET status = 'running' WHERE author = 'ai'")
        page = client.get(f"/c/{first.conversation}/").text
    statuses = re.findall(r'data-from="ai"[^>]*data-status="(\w+)"', page)
    assert statuses[:2] == ["interrupted"] * 2


async def test_a_store_that_fails_under_a_socket_closes_it_and_leaves_nothing(
    own_portal: PortalProcess,
) -> None:
    client = Client(own_portal.url).sign_in("member").agree()
    database = own_portal.data_dir / "portal.sqlite3"
    for _ in range(20):
        async with client.socket() as socket:
            await socket.ready()
            with sqlite3.connect(database) as connection:
                connection.execute("ALTER TABLE accounts_portalsession RENAME TO hidden")
            await socket.send("chat.send", conversation=None, text="hello")
            assert await socket.closed_with() == 1011
            with sqlite3.connect(database) as connection:
                connection.execute("ALTER TABLE hidden RENAME TO accounts_portalsession")
    async with client.socket() as socket:
        await socket.ready()
        assert (await socket.ask("hello")).end["status"] == "complete"
    assert "Traceback" not in own_portal.log.read_text()
