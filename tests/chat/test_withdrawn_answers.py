"""An answer that a rule stops while the real engine writes it is withdrawn, and its slot is free at once."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chat.temporary import TemporaryConversations
from chat.turns import LiveTurn
from common.threads import in_database_thread
from inference.engine import EngineName
from policy.serving import rule_sets
from tests.chat.test_pipeline import agree
from tests.chat.test_rules_in_turns import Bench, put_in_force
from tests.conftest import Cast
from tests.inference.support import config_for, open_pool, until

pytestmark = [pytest.mark.model, pytest.mark.django_db(transaction=True)]

PARIS: dict[str, Any] = {
    "code": "STOP-01",
    "title": {"en": "Paris"},
    "keywords": ["paris"],
    "output": "block",
}
QUESTION = "Name the capital of France, then write ten long paragraphs about its history."
# Far above what a step of the engine takes, far below what the rest of such an answer would.
FREE_WITHIN_S = 3


@pytest.fixture(params=["llamacpp", "native"])
async def bench(cast: Cast, starter_model: Path, request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    rule_sets.cache_clear()
    engine: EngineName = request.param
    await in_database_thread(agree)(cast.member)
    await in_database_thread(put_in_force)(cast.officer, PARIS)
    async with open_pool(replace(config_for(starter_model, engine), slots=1)) as pool:
        yield Bench(pool, cast, TemporaryConversations(lambda _conversation: None))
    rule_sets.cache_clear()


async def test_a_withdrawn_answer_stops_the_engine_and_frees_its_slot(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[float, int]] = []
    withdraw = LiveTurn.withdraw

    def noting(turn: LiveTurn) -> None:
        seen.append((time.monotonic(), bench.pool.running))
        withdraw(turn)

    monkeypatch.setattr(LiveTurn, "withdraw", noting)
    turn = await bench.ask(QUESTION)
    assert turn.ended is not None
    assert (turn.ended.status, turn.ended.reason_code, turn.ended.text) == ("blocked", "STOP-01", "")
    ((withdrawn, running),) = seen
    assert running == 1, "the engine was still writing"
    await until(lambda: bench.pool.running == 0, within_s=FREE_WITHIN_S)
    free = time.monotonic() - withdrawn
    second = await bench.ask("Say hi.")
    answering = time.monotonic() - withdrawn
    assert second.started is not None
    sys.stdout.write(
        f"free after {free * 1000:.0f} ms, the next answer whole after {answering * 1000:.0f} ms\n"
    )
    assert free < FREE_WITHIN_S
