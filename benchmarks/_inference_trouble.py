"""Measure how the pool takes trouble: a worker that dies, and one that is replaced while everybody asks."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks._figures import BenchmarkError
from benchmarks._inference_pool import ask, config_for, pool_of
from benchmarks._inference_speed import paces
from benchmarks._plan import story_questions
from benchmarks._report import Goal, Row
from inference.engine import ChatMessage, EngineName
from inference.errors import InferenceError
from inference.pool import InferencePool


async def trouble(
    model: Path, engine: EngineName, *, threads: int, tokens: int, crowd: int = 16
) -> list[Row]:
    """Kill the worker and wait for the next words; recycle it while everybody is asking."""
    config = replace(config_for(model, engine=engine, threads=threads), standby="off")
    async with pool_of(config) as pool:
        await paces(pool, rounds=1, tokens=4)
        recovery = await _recover(pool)
        lost = await _lost_in_recycle(pool, story_questions(crowd), tokens=tokens)
    return [
        Row(
            figure="worker killed to the next first token",
            value=recovery,
            unit="s",
            goal=Goal("≤", 5),
            plausible=(0.01, 600),
        ),
        Row(figure=f"turns refused or lost in a recycle, of {crowd}", value=lost, unit="", goal=Goal("≤", 0)),
    ]


async def _recover(pool: InferencePool) -> float:
    began = time.perf_counter()
    os.kill(pool.worker_pid or 0, signal.SIGKILL)
    await asyncio.sleep(0.1)  # Until the pool has seen it: the turn shall not be on the dead one.
    told = await ask(pool, (ChatMessage("user", story_questions(1)[0]),), tokens=4)
    return told.stamps[0] - began


async def _lost_in_recycle(pool: InferencePool, questions: Sequence[str], *, tokens: int) -> int:
    """Recycle the pool while everybody is asking; return how many turns were refused or lost."""
    asked = [
        asyncio.ensure_future(ask(pool, (ChatMessage("user", question),), tokens=tokens))
        for question in questions
    ]
    await asyncio.sleep(0.5)
    before = pool.worker_pid
    await pool.recycle("benchmark")
    told = await asyncio.gather(*asked, return_exceptions=True)
    if pool.worker_pid == before:
        raise BenchmarkError("the worker was not replaced")
    if broken := [
        one for one in told if isinstance(one, BaseException) and not isinstance(one, InferenceError)
    ]:
        raise broken[0]
    return sum(isinstance(one, BaseException) or one.finished is None for one in told)
