"""Measure how fast the worker computes: against the memory's speed, beside a busy process, and with many streams."""

from __future__ import annotations

import asyncio
import statistics
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks._figures import spread
from benchmarks._inference_ceiling import Memory, bytes_per_token
from benchmarks._inference_pool import Told, ask, config_for, pool_of, together
from benchmarks._plan import story_questions
from benchmarks._report import Goal, Row
from inference.engine import ChatMessage, EngineName
from inference.engines.choice import fits_here
from inference.pool import InferencePool

CROWD = 16
NAMES: dict[EngineName, str] = {"llamacpp": "default", "native": "native"}
# Of the memory's speed. More than all of it means that one of the two was disturbed.
CEILING_GOALS: dict[EngineName, float] = {"llamacpp": 0.65, "native": 0.80}
POSSIBLE_SHARE = (0.02, 1.1)
# Percent that a busy process takes away. A stream that gains by one was disturbed before.
POSSIBLE_LOSS = (-10.0, 100.0)
NOT_MEASURED = float("nan")


def missing(figure: str, goal: Goal, *, why: str) -> Row:
    """Return the row of a figure that could not be taken: it keeps no goal."""
    return Row(figure=f"{figure}: {why}", value=NOT_MEASURED, unit="", goal=goal)


@contextmanager
def _spinning() -> Iterator[None]:
    """Keep one core busy in this process, which is the pool's: what a busy web process does."""
    over = threading.Event()

    def spin() -> None:
        while not over.is_set():
            pass

    thread = threading.Thread(target=spin)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


async def paces(pool: InferencePool, *, rounds: int, tokens: int) -> list[float]:
    """Return the decode pace of single answers, one after the other."""
    return [
        (await ask(pool, (ChatMessage("user", question),), tokens=tokens)).pace
        for question in story_questions(rounds)
    ]


async def single_stream(
    model: Path, engine: EngineName, *, threads: int, rounds: int, tokens: int, memory: Memory
) -> list[Row]:
    """Compare one stream's decode pace with the memory's, in alternating rounds, then beside a busy web process."""
    label = f"one stream, {NAMES[engine]}, {threads} threads"
    is_judged = "q4_0" in model.stem
    goal = Goal("≥", CEILING_GOALS[engine], of="ratio")
    if engine == "native" and not fits_here():
        return [missing(label, goal, why="not built")] if is_judged else []
    needed, quiet, ceilings = bytes_per_token(model), [], []
    async with pool_of(config_for(model, engine=engine, threads=threads)) as pool:
        await paces(pool, rounds=1, tokens=tokens)
        for _ in range(rounds):
            ceilings.append(memory.bandwidth() / needed)
            quiet += await paces(pool, rounds=1, tokens=tokens)
        with _spinning():
            await paces(pool, rounds=1, tokens=tokens)
            busy = await paces(pool, rounds=rounds, tokens=tokens)
    ratios = [pace / ceiling for pace, ceiling in zip(quiet, ceilings, strict=True)]
    return [
        Row(
            figure=label,
            value=statistics.median(quiet),
            unit="/s",
            spread=spread(quiet),
            baseline=statistics.median(ceilings),
            ratio=statistics.median(ratios),
            goal=goal if is_judged else None,
            plausible=POSSIBLE_SHARE,
        ),
        _loss(quiet, busy),
    ]


def _loss(quiet: Sequence[float], busy: Sequence[float]) -> Row:
    return Row(
        figure="  lost beside a spinning process",
        value=100 * (1 - statistics.median(busy) / statistics.median(quiet)),
        unit="%",
        goal=Goal("≤", 35),
        plausible=POSSIBLE_LOSS,
    )


async def many_streams(model: Path, *, threads: dict[EngineName, int], tokens: int) -> list[Row]:
    """Compare sixteen streams with one, decoding only: as many slots as streams, all prompts processed before."""
    one, many = await _one_and_many(model, "llamacpp", threads=threads["llamacpp"], tokens=tokens)
    ratio = Goal("≥", 1.8, of="ratio")
    rows = [_against(f"{CROWD} streams to 1, default", many, one, ratio)]
    goal = Goal("≥", 1.5, of="ratio")
    if not fits_here():
        return [*rows, missing(f"{CROWD} streams, native to default", goal, why="not built")]
    native_one, native = await _one_and_many(model, "native", threads=threads["native"], tokens=tokens)
    return [
        *rows,
        _against(f"{CROWD} streams to 1, native", native, native_one, ratio),
        _against(f"{CROWD} streams, native to default", native, many, goal),
    ]


def _against(figure: str, value: float, baseline: float, goal: Goal) -> Row:
    return Row(
        figure=figure,
        value=value,
        unit="/s",
        baseline=baseline,
        ratio=value / baseline,
        goal=goal,
        plausible=(0.1, 10),
    )


async def _one_and_many(model: Path, engine: EngineName, *, threads: int, tokens: int) -> tuple[float, float]:
    """Return tokens per second of one stream, and of all together."""
    async with pool_of(config_for(model, engine=engine, threads=threads, slots=CROWD)) as pool:
        await paces(pool, rounds=1, tokens=8)
        one = statistics.median(await paces(pool, rounds=3, tokens=tokens))
        return one, together(await _all_at_once(pool, tokens=tokens))


async def _all_at_once(pool: InferencePool, *, tokens: int) -> list[Told]:
    asked = [
        ask(pool, (ChatMessage("user", f"Tell me story {number}."),), tokens=tokens)
        for number in range(CROWD)
    ]
    return list(await asyncio.gather(*asked))
