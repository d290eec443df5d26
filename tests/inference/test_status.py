"""What a pool tells of itself is what is there."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from inference import breaker, standby
from inference.engine import Event
from inference.pool import InferencePool
from tests.inference.support import answer, ask, open_pool, scripted, until, wait_for_spare, worker_of


async def test_a_quiet_pool() -> None:
    async with open_pool(scripted(slots=3)) as pool:
        await answer(pool, ask("Hello 20"))
        status = pool.status()
        assert (status.state, status.circuit, status.standby) == ("ready", "closed", "off")
        assert (status.worker_pid, status.turns, status.slots) == (worker_of(pool), 1, 3)
        assert status.tokens_per_second > 0
        assert 1 << 20 < status.own_bytes < 1 << 30
        assert (status.recycles, status.last_recycle_at, status.restarts) == (0, None, 0)


async def test_a_recycle_and_a_crash_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standby, "SPARE_DELAY_S", 0.05)
    async with open_pool(scripted(standby="on")) as pool:
        await wait_for_spare(pool)
        assert pool.status().standby == "ready"
        await pool.recycle()
        status = pool.status()
        assert (status.recycles, status.last_recycle, status.restarts) == (1, "request", 0)
        assert status.last_recycle_at is not None
        assert status.turns == 0
        await wait_for_spare(pool)
        os.kill(worker_of(pool), signal.SIGKILL)
        await until(lambda: pool.status().restarts == 1)
        assert pool.status().recycles == 1
        assert pool.status().last_error == "the worker ended unexpectedly"


async def test_the_circuit_opens_tries_one_turn_at_a_time_and_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker, "PAUSES_S", (0.0, 0.01, 0.01, 0.01))
    monkeypatch.setattr(breaker, "SLOW_RETRY_S", 0.5)
    async with open_pool(scripted(slots=4, scripted_ms=10)) as pool:
        for _ in range(breaker.MAX_FAILURES):
            await until(lambda: pool.state == "ready")
            pid = worker_of(pool)
            os.kill(pid, signal.SIGKILL)
            await until(lambda gone=pid: pool.worker_pid != gone)  # type: ignore[misc]
        assert (pool.status().circuit, pool.state) == ("open", "failed")
        await until(lambda: pool.state == "ready")
        assert pool.status().circuit == "half-open"
        turns = [_take(pool, person) for person in "abc"]
        await until(lambda: pool.running + pool.queued == 3)
        assert (pool.running, pool.queued) == (1, 2)
        for turn in turns:
            await turn
        assert pool.status().circuit == "closed"


def _take(pool: InferencePool, person: str) -> asyncio.Task[list[Event]]:
    return asyncio.create_task(answer(pool, ask("Hello 10"), person=person))
