"""A follower is sent a turn no faster than it acknowledges, and without a gap or a repetition."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest

from chat import following
from chat.following import Follower, StalledClient
from chat.requests import Person
from chat.turns import LiveTurn, TurnEnded, Turns, TurnStarted
from common.errors import NotFound
from tests.inference.support import until

PERSON = Person(account_id=uuid.uuid4(), tenant_id=uuid.uuid4(), ip=None, language="en")
STARTED = TurnStarted(conversation=uuid.uuid4(), message=uuid.uuid4(), prompt=uuid.uuid4(), temporary=False)


class Sent:
    """Collect what a follower sends."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []

    async def __call__(self, frame: dict[str, Any]) -> None:
        self.frames.append(frame)

    @property
    def text(self) -> str:
        return "".join(frame["text"] for frame in self.frames if frame["type"] == "turn.delta")


def a_turn(pieces: int) -> LiveTurn:
    turn = LiveTurn(PERSON)
    turn.start(STARTED)
    for number in range(pieces):
        turn.add(f"{number} ")
    return turn


async def test_pieces_that_gathered_go_out_as_one_frame() -> None:
    turn, sent = a_turn(10), Sent()
    turn.end(TurnEnded(status="complete"))
    await Follower(turn, frame_id="1", after=0, send=sent).run()
    assert [frame["type"] for frame in sent.frames] == ["turn.started", "turn.delta", "turn.done"]
    assert sent.frames[1]["seq"] == 10


@pytest.mark.parametrize("after", range(12))
async def test_a_resume_from_any_point_gives_exactly_the_rest(after: int) -> None:
    turn, sent = a_turn(10), Sent()
    turn.end(TurnEnded(status="complete"))
    await Follower(turn, frame_id="1", after=after, send=sent).run()
    assert sent.text == "".join(f"{number} " for number in range(after, 10))


async def test_a_full_window_waits_for_an_acknowledgement() -> None:
    turn, sent = a_turn(0), Sent()
    follower = Follower(turn, frame_id="1", after=0, send=sent)
    task = asyncio.create_task(follower.run())
    for number in range(following.WINDOW * 2):
        turn.add(f"{number} ")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    held = sent.frames[-1]["seq"]
    assert held < following.WINDOW * 2
    follower.acknowledge(held)
    turn.end(TurnEnded(status="complete"))
    await asyncio.wait_for(task, 15)
    assert sent.text == "".join(f"{number} " for number in range(following.WINDOW * 2))


async def test_a_client_that_never_acknowledges_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "STALLED_S", 0.05)
    turn, sent = a_turn(following.WINDOW), Sent()
    follower = Follower(turn, frame_id="1", after=0, send=sent)
    task = asyncio.create_task(follower.run())
    await asyncio.sleep(0)
    turn.add("one more")
    with pytest.raises(StalledClient):
        await asyncio.wait_for(task, 15)


@pytest.mark.parametrize("seq", [-1, 0, 11, 1 << 31])
async def test_an_acknowledgement_of_what_was_not_sent_changes_nothing(seq: int) -> None:
    turn, sent = a_turn(10), Sent()
    follower = Follower(turn, frame_id="1", after=0, send=sent)
    task = asyncio.create_task(follower.run())
    await until(lambda: sent.text.endswith("9 "))
    follower.acknowledge(seq)
    assert follower._acked == 0
    task.cancel()


async def test_a_turn_is_found_by_its_person_only_and_forgotten_after_its_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chat.turns.KEPT_AFTER_END_S", 0.02)
    turns = Turns(grace_s=30)
    turn = turns.open(PERSON)
    assert turns.find(turn.id, account_id=PERSON.account_id) is turn
    with pytest.raises(NotFound):
        turns.find(turn.id, account_id=uuid.uuid4())
    turn.end(TurnEnded(status="complete"))
    turns.close(turn)
    await until(lambda: turn.id not in turns._turns)
    with pytest.raises(NotFound):
        turns.find(turn.id, account_id=PERSON.account_id)


async def test_a_turn_that_was_followed_again_after_its_end_is_still_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chat.turns.KEPT_AFTER_END_S", 0.05)
    turns = Turns(grace_s=30)
    turn = turns.open(PERSON)
    turn.end(TurnEnded(status="complete"))
    turns.close(turn)
    turns.follow(turn)
    turns.leave(turn)
    await until(lambda: turns._turns == {})
    assert turns._followers == {}


async def test_a_refused_turn_is_forgotten_at_once() -> None:
    turns = Turns(grace_s=30)
    turn = turns.open(PERSON)
    turn.refuse(NotFound())
    turns.close(turn)
    turns.follow(turn)
    turns.leave(turn)
    assert turns._turns == {}
    assert turns._followers == {}


async def test_a_turn_that_nobody_follows_is_stopped_after_the_grace_time() -> None:
    turns = Turns(grace_s=0.02)
    turn = turns.open(PERSON)
    turns.follow(turn)
    turns.leave(turn)
    assert not turn._stop_asked
    await until(lambda: turn._stop_asked)
