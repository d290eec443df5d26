"""The websocket protocol that is documented is the one that is spoken."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest

from chat import consumers
from chat.following import REFUSALS, WINDOW, ended_fields, started_fields
from chat.frames import MAX_FRAME_CHARS
from chat.turns import TurnEnded, TurnStarted
from tests.docs.reading import table_rows, text_of

PAGE = "docs/architecture.md"
CLIENT_FRAMES = re.findall(r'case "([a-z.]+)":', text_of("chat/frames.py"))
SENT = re.compile(r'"type": "([a-z.]+)"|_say\(\s*"([a-z.]+)"')


def server_frames() -> set[str]:
    source = text_of("chat/consumers.py") + text_of("chat/following.py")
    return {first or second for first, second in SENT.findall(source)}


def test_every_frame_is_documented() -> None:
    assert {"chat.send", "ack", "ping"} <= set(CLIENT_FRAMES)
    assert {"ready", "turn.delta", "turn.done", "pong"} <= server_frames()
    assert (set(CLIENT_FRAMES) | server_frames()) <= table_rows(PAGE).keys()


def test_every_field_of_a_turns_begin_and_end_is_documented() -> None:
    rows = table_rows(PAGE)
    started = started_fields(
        TurnStarted(conversation=uuid4(), message=uuid4(), prompt=uuid4(), temporary=False)
    )
    ended = ended_fields(TurnEnded(status="blocked", reason_code="X-1"))
    inner = {key for value in ended.values() if isinstance(value, dict) for key in value}
    assert [key for key in started if f"`{key}`" not in rows["turn.started"][1]] == []
    assert [key for key in {*ended, *inner} if f"`{key}`" not in rows["turn.done"][1]] == []


def test_every_reason_of_a_refusal_is_documented() -> None:
    assert [code for code in REFUSALS if f"`{code}`" not in text_of(PAGE)] == []


@pytest.mark.parametrize("name", ["NOT_SIGNED_IN", "NOT_ALLOWED", "BAD_FRAMES", "STALLED", "FLOOD"])
def test_every_close_code_is_documented(name: str) -> None:
    assert re.search(rf"^\| {getattr(consumers, name)} \|", text_of(PAGE), re.MULTILINE)


def test_limits_of_the_protocol_are_documented_as_they_are() -> None:
    page = text_of(PAGE)
    assert f"`window` ({WINDOW})" in page
    assert f"{MAX_FRAME_CHARS:,} characters" in page
