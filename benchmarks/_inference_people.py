"""Measure what people notice of each other: a tenant that floods, waits that are foretold, a second turn."""

from __future__ import annotations

import asyncio
import random
import statistics
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks._figures import BenchmarkError, percentile, quartiles
from benchmarks._inference_pool import SLOTS, Told, ask, config_for, pool_of
from benchmarks._inference_speed import paces
from benchmarks._plan import story_questions
from benchmarks._report import Goal, Row
from inference.engine import ChatMessage, EngineName
from inference.pool import InferencePool

_LINE = "the old man went to the sea and the sea was as cold as the wind in the night. "
FLOOD = 40
ASKED_TOKENS = 8
# Waits below are over before anybody has read the estimate.
LEAST_WAIT_S = 0.5


def long_text(model: Path) -> str:
    """Return about 2,000 tokens. The synthetic vocabulary needs twice as many as a real one for the same words."""
    return _LINE * (50 if model.stem.startswith("synthetic") else 100)


async def flooding(model: Path, engine: EngineName, *, threads: int, rounds: int, asks: int) -> list[Row]:
    """Compare one tenant's first words while another is as busy as it may be with those while it floods the queue.

    In both cases the other tenant computes on every slot but the one that is left to whoever comes.
    """
    found: dict[int, list[float]] = {0: [], SLOTS - 1: [], FLOOD: []}
    async with pool_of(config_for(model, engine=engine, threads=threads)) as pool:
        pool.expect_others(True)  # noqa: FBT003 - the pool's own signature
        await _first_words(pool, 2)
        for _ in range(rounds):
            for crowd, taken in found.items():
                async with _busy_tenant(pool, crowd):
                    taken.extend(await _first_words(pool, asks))
    alone, busy, flooded = (percentile(taken, 95) for taken in found.values())
    return [
        Row(
            figure=f"first token p95 while another tenant floods with {FLOOD}",
            value=1000 * flooded,
            unit="ms",
            spread=quartiles([1000 * taken for taken in found[FLOOD]]),
            baseline=1000 * busy,
            ratio=flooded / busy,
            goal=Goal("≤", 1.2, of="ratio"),
            plausible=(0.5, 100),
        ),
        Row(figure="  the same, on an idle machine", value=1000 * alone, unit="ms"),
    ]


async def _first_words(pool: InferencePool, asks: int) -> list[float]:
    taken = []
    for question in story_questions(asks):
        told = await ask(
            pool, (ChatMessage("user", question),), tokens=ASKED_TOKENS, person="ann", tenant="south"
        )
        taken.append(told.first_s)
    return taken


@asynccontextmanager
async def _busy_tenant(pool: InferencePool, people: int) -> AsyncIterator[None]:
    """Let so many people of a tenant ask all the time, each the next question as soon as one is answered."""

    async def talk(person: str) -> None:
        while True:
            await ask(
                pool, (ChatMessage("user", story_questions(1)[0]),), tokens=32, person=person, tenant="north"
            )

    tasks = [asyncio.create_task(talk(f"north {number}")) for number in range(people)]
    await asyncio.sleep(1 if people else 0)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        if any(not isinstance(end, asyncio.CancelledError) for end in ends):
            raise BenchmarkError("the flood was refused")


async def estimates(model: Path, engine: EngineName, *, threads: int, people: int) -> list[Row]:
    """Compare the waits that people were told when they came with those that they had."""
    chance = random.Random(1)
    async with pool_of(config_for(model, engine=engine, threads=threads)) as pool:
        await _crowd(pool, chance, people)  # Before, the pool can only guess.
        told = await _crowd(pool, chance, people)
    off = estimate_errors(told)
    return [
        Row(
            figure=f"waits foretold, error of the median one of {len(off)}",
            value=100 * statistics.median(off),
            unit="%",
            spread=quartiles([100 * error for error in off]),
            goal=Goal("≤", 30),
            plausible=(0, 1000),
        )
    ]


async def _crowd(pool: InferencePool, chance: random.Random, people: int) -> list[Told]:
    asked = [
        ask(pool, (ChatMessage("user", question),), tokens=chance.randrange(16, 65))
        for question in story_questions(people)
    ]
    return list(await asyncio.gather(*asked))


def estimate_errors(told: Sequence[Told]) -> list[float]:
    """Return how far each first estimate was from the wait, by the wait. Raise BenchmarkError if nobody waited."""
    pairs = [(one.estimates[0], one.waited_s) for one in told if one.estimates]
    off = [abs(estimate - waited) / waited for estimate, waited in pairs if waited >= LEAST_WAIT_S]
    if not off:
        raise BenchmarkError("nobody waited")
    return off


async def second_turn(model: Path, engine: EngineName, *, threads: int) -> list[Row]:
    """Compare the first words of a conversation's second turn with those of its first, after 2,000 tokens."""
    async with pool_of(config_for(model, engine=engine, threads=threads)) as pool:
        await paces(pool, rounds=1, tokens=4)
        opening = ChatMessage("user", f"{long_text(model)} {story_questions(1)[0]}")
        first = await ask(pool, (opening,), tokens=16, person="returning")
        again = (opening, ChatMessage("assistant", first.text), ChatMessage("user", "And then?"))
        second = await ask(pool, again, tokens=16, person="returning")
    size = first.finished.usage.prompt_tokens if first.finished else 0
    return [
        Row(
            figure=f"first token of a second turn after {size} tokens, {engine}",
            value=1000 * second.first_s,
            unit="ms",
            baseline=1000 * first.first_s,
            ratio=second.first_s / first.first_s,
            goal=Goal("≤", 0.05, of="ratio"),
            plausible=(0.0001, 10) if size >= 1500 else (0, 0),
        )
    ]
