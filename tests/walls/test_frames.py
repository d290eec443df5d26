"""Every frame, every person: what each gets stands in `who_may.txt`, and nothing is left out of it.

A line's third column are the fields of the frame, as `name=value&…`. 200 means that it was taken, 404 that it was
answered as for a thing that nobody has. Who may not chat, and the anonymous, are not answered at all: their socket is
closed with 4403 and 4401, whatever they send.
"""

from __future__ import annotations

import json
import uuid
from typing import Any
from urllib.parse import parse_qsl

import pytest
import websockets

from chat import routing
from tests.client import Socket, Turn
from tests.docs.test_protocol import CLIENT_FRAMES
from tests.walls.house import House
from tests.walls.table import FRAMES, PEOPLE, WORDS, Row

# Frames that are answered by what they do, or by a refusal.
SILENT = ("ack", "chat.stop", "ping")
MISSING = ("not_found", "unknown_turn")
STRANGERS = [name for name in WORDS["member"] if name != "owner"]


def test_every_frame_has_its_line() -> None:
    assert {row.name for row in FRAMES} == set(CLIENT_FRAMES)


def test_there_is_one_socket_address() -> None:
    """Another consumer speaks other frames, of which the table would have to know."""
    assert [str(route.pattern) for route in routing.addresses.routes] == ["ws/chat/", ""]


@pytest.mark.parametrize("who", [name for name in PEOPLE if name not in WORDS["member"]])
async def test_whoever_may_not_chat_is_shut_out_without_an_answer(who: str, house: House) -> None:
    things = {name: str(uuid.uuid4()) for row in FRAMES for name in row.things}
    said: list[Any] = []
    async with house.socket(who) as socket:
        try:
            for row in FRAMES:
                await socket.send(row.name, **fields(row, things))
            while True:
                said.append(await socket.receive())
        except websockets.ConnectionClosed:
            pass
    assert said == []
    assert {row.statuses[who] for row in FRAMES} == {socket.connection.close_code}


async def test_everybody_else_gets_what_the_table_says(house: House) -> None:
    async with house.socket("owner") as own:
        await own.ready()
        await own.send("chat.send", conversation=None, text="mine alone " * 200)
        turn = await own.read_turn(until_seq=2)
        things = {
            "turn": turn.id,
            "conversation": turn.conversation,
            "question": str(turn.started["prompt"]),
            "answer": str(turn.started["message"]),
        }
        for who in STRANGERS:
            await check_stranger(house, who, things)
        await still_runs(own, turn)
        async with house.socket("owner") as second:
            await second.ready()
            wrong = {
                str(row): status
                for row in FRAMES
                if (status := await status_of(second, row, things)) != row.statuses["owner"]
            }
    assert not wrong, wrong


async def check_stranger(house: House, who: str, things: dict[str, str]) -> None:
    """Fail unless each frame gets a stranger the status of its line, and the very answer that a missing thing gets.

    The ids of a conversation and of a turn are tried in the place of every other thing, too.
    """
    missing = {name: str(uuid.uuid4()) for name in things}
    others = [dict.fromkeys(things, things[name]) for name in ("conversation", "turn")]
    async with house.socket(who) as socket:
        await socket.ready()
        for row in FRAMES:
            theirs, none = await answer(socket, row, things), await answer(socket, row, missing)
            assert read_status(theirs) == row.statuses[who] or row.name == "ack", (who, str(row), theirs)
            for other in others if row.things else ():
                assert theirs == none == await answer(socket, row, other), (who, str(row))


async def still_runs(own: Socket, turn: Turn) -> None:
    seq = turn.seq
    assert (await own.read_turn(turn, until_seq=seq + 2)).seq > seq
    assert not turn.end


async def status_of(socket: Socket, row: Row, things: dict[str, str]) -> int:
    return read_status(await answer(socket, row, things))


def read_status(frame: dict[str, Any]) -> int:
    if frame["type"] in ("error", "turn.refused"):
        return 404 if frame["code"] in MISSING else 500
    return 200


async def answer(socket: Socket, row: Row, things: dict[str, str]) -> dict[str, Any]:
    """Return the first answer to a frame without its number, and end a turn that it began."""
    number = await socket.send(row.name, **fields(row, things))
    if row.name in SILENT:
        await socket.send("ping")
    first = await socket.receive()
    while first["type"] not in ("pong", "error", "turn.refused", "turn.started"):
        first = await socket.receive()
    if row.name in SILENT and first["type"] != "pong":
        await until_pong(socket)
    if first["type"] == "turn.started" and row.name != "chat.resume":
        await socket.send("chat.stop", turn=first["turn"])
        await socket.read_turn()
    if row.name == "chat.stop" and first["type"] == "pong":
        await socket.read_turn()
    assert first["type"] == "pong" or first["id"] == number
    return {key: value for key, value in first.items() if key not in ("id", "turn")}


async def until_pong(socket: Socket) -> None:
    while (await socket.receive())["type"] != "pong":
        pass


def fields(row: Row, things: dict[str, str]) -> dict[str, Any]:
    """Return the fields of a line; numbers and truth values as such."""
    text = "" if row.path == "-" else row.path.format(**things)
    return {
        name: json.loads(value) if value in ("true", "0", "1") else value for name, value in parse_qsl(text)
    }
