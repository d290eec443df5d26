"""Frames that no honest client sends: a clear error, no traceback, and the service goes on."""

from __future__ import annotations

import json
import uuid

import pytest
import websockets

from tests.client import Client, Socket
from tests.portal import PortalProcess

BAD = [
    "",
    "not json",
    "[]",
    "null",
    "{}",
    '"chat.send"',
    "[" * 50_000,
    '{"type": "chat.send"}',
    '{"type": 7, "id": "1"}',
    '{"type": "chat.send", "id": {}, "text": "x"}',
    '{"type": "chat.send", "id": "", "text": "x"}',
    '{"type": "chat.send", "id": "1", "text": 7}',
    '{"type": "chat.send", "id": "1", "text": ""}',
    '{"type": "chat.send", "id": "1", "text": "  \\u0000 "}',
    '{"type": "chat.send", "id": "1", "text": "\\ud800"}',
    '{"type": "chat.send", "id": "1", "text": "x", "conversation": "nope"}',
    '{"type": "chat.send", "id": "1", "text": "x", "temporary": "yes"}',
    '{"type": "chat.stop", "id": "1", "turn": null}',
    '{"type": "chat.resume", "id": "1", "turn": "00000000-0000-4000-8000-000000000000", "after": -1}',
    '{"type": "chat.resume", "id": "1", "turn": "00000000-0000-4000-8000-000000000000", "after": 1e400}',
    '{"type": "ack", "id": "1", "turn": "00000000-0000-4000-8000-000000000000", "seq": true}',
    '{"type": "chat.delete_everything", "id": "1"}',
    '{"type": "ping", "id": "\\ud800"}',
]


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
async def test_a_malformed_frame_gets_an_error_and_the_socket_stays_usable(
    fast_member: Client, text: str
) -> None:
    async with fast_member.socket() as socket:
        await socket.ready()
        await socket.connection.send(text)
        answer = await socket.receive()
        assert answer["type"] == "error"
        assert answer["code"] in {"bad_frame", "unknown_type"}
        assert answer["message"]
        await socket.send("ping")
        assert (await socket.receive())["type"] == "pong"


async def test_a_binary_frame_is_an_error(fast_member: Client) -> None:
    async with fast_member.socket() as socket:
        await socket.ready()
        await socket.connection.send(b"\x00\xff")
        assert (await socket.receive())["code"] == "bad_frame"


async def test_repeated_bad_frames_close_the_socket_with_4400(fast_member: Client) -> None:
    async with fast_member.socket() as socket:
        await socket.ready()
        for _ in range(10):
            await socket.connection.send("nonsense")
        assert await socket.closed_with() == 4400


async def test_a_frame_of_a_megabyte_is_refused(fast_member: Client) -> None:
    async with fast_member.socket() as socket:
        await socket.ready()
        await socket.send("chat.send", conversation=None, text="x" * 1_000_000)
        assert (await socket.receive())["code"] == "frame_too_large"
        assert await socket.closed_with() == 4400


async def test_a_text_beyond_the_limit_is_refused_as_too_long(fast_member: Client) -> None:
    async with fast_member.socket() as socket:
        limit = (await socket.ready())["limits"]["max_prompt_chars"]
        turn = await socket.ask("x" * (limit + 1))
        assert (turn.end["type"], turn.end["code"]) == ("turn.refused", "too_long")


async def test_ten_thousand_pings_end_in_4429_and_the_service_goes_on(
    fast_portal: PortalProcess, fast_member: Client
) -> None:
    async with fast_member.socket() as socket:
        await socket.ready()
        ping = json.dumps({"type": "ping", "id": "p"})
        try:
            for _ in range(10_000):
                await socket.connection.send(ping)
        except websockets.ConnectionClosed:
            pass
        assert await socket.closed_with() == 4429
    async with fast_member.socket() as socket:
        await socket.ready()
        assert (await socket.ask("still there")).end["status"] == "complete"
    assert "Traceback" not in fast_portal.log.read_text()


async def test_other_peoples_ids_look_like_missing_ones(
    fast_portal: PortalProcess, fast_member: Client
) -> None:
    fast_portal.add_account("stranger")
    stranger = Client(fast_portal.url).sign_in("stranger").agree()
    async with fast_member.socket() as own, stranger.socket() as other:
        await own.ready()
        await other.ready()
        await own.send("chat.send", conversation=None, text="mine alone " * 20)
        turn = await own.read_turn(until_seq=2)
        ids = {"conversation": turn.conversation, "message": str(turn.started["message"]), "turn": turn.id}
        unknown = {name: str(uuid.uuid4()) for name in ids}
        assert await answers(other, **ids) == await answers(other, **unknown)
        turn = await own.read_turn(turn)
        assert turn.end["status"] == "complete"
        assert await answers(other, **ids) == await answers(other, **unknown)


async def answers(socket: Socket, *, conversation: str, message: str, turn: str) -> list[object]:
    """Return what a socket says to every frame that can name an id."""
    frames: list[tuple[str, dict[str, object]]] = [
        ("chat.send", {"conversation": conversation, "text": "hello"}),
        ("chat.send", {"conversation": conversation, "text": "hello", "temporary": True}),
        ("chat.regenerate", {"message": message}),
        ("chat.edit", {"message": message, "text": "hello"}),
        ("chat.stop", {"turn": turn}),
        ("chat.resume", {"turn": turn, "after": 0}),
    ]
    said: list[object] = []
    for kind, fields in frames:
        await socket.send(kind, **fields)
        frame = await socket.receive()
        said.append((kind, frame["type"], frame["code"], frame["message"]))
    return said


async def test_a_page_of_another_site_cannot_open_the_socket(fast_member: Client) -> None:
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with fast_member.socket(Origin="https://evil.example"):
            pass
    assert refused.value.response.status_code == 403


async def test_the_portals_own_page_can_open_the_socket(
    fast_portal: PortalProcess, fast_member: Client
) -> None:
    async with fast_member.socket(Origin=fast_portal.url) as socket:
        await socket.ready()
