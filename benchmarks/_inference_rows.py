"""Measure the pool and turn it into rows: speed on one file, and how the pool takes trouble."""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks._engine import DirectEngine
from benchmarks._figures import BenchmarkError, Round, first_words, percentile
from benchmarks._inference_ceiling import Memory, bytes_per_token
from benchmarks._inference_pool import ask, ask_all, config_for, lost_under, pool_of
from benchmarks._plan import story_questions
from benchmarks._report import Goal, Row
from inference.engine import ChatMessage, EngineName
from inference.engines.choice import fits_here
from inference.pool import InferencePool

SYSTEM = "You are a helpful assistant."
CROWD = 16
NAMES: dict[EngineName, str] = {"llamacpp": "default", "native": "native"}
NOT_MEASURED = float("nan")
# About 2,000 tokens with the vocabularies of both models: words of one token each.
LONG = "the old man went to the sea and the sea was as cold as the wind in the night. " * 100


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


async def _paces(pool: InferencePool, *, rounds: int, tokens: int) -> list[float]:
    """Return the decode pace of single answers, one after the other."""
    return [
        (await ask(pool, (ChatMessage("user", question),), tokens=tokens)).pace
        for question in story_questions(rounds)
    ]


async def single_stream(
    model: Path, engine: EngineName, *, threads: int, rounds: int, tokens: int, memory: Memory
) -> list[Row]:
    """Compare one stream's decode pace with the memory's, in alternating rounds, then beside a busy web process."""
    kind = f"{NAMES[engine]}, {model.stem[-30:]}"
    if engine == "native" and not fits_here():
        return [_missing(f"decode to ceiling, {kind}: not built", Goal("≥", 0.80, of="ratio"))]
    config = config_for(model, engine=engine, threads=threads)
    quiet: list[float] = []
    ceilings: list[float] = []
    async with pool_of(config) as pool:
        await _paces(pool, rounds=1, tokens=tokens)
        for _ in range(rounds):
            ceilings.append(memory.bandwidth() / bytes_per_token(model))
            quiet += await _paces(pool, rounds=1, tokens=tokens)
        with _spinning():
            await _paces(pool, rounds=1, tokens=tokens)
            busy = await _paces(pool, rounds=rounds, tokens=tokens)
    alone, ceiling = statistics.median(quiet), statistics.median(ceilings)
    lowered = 1 - statistics.median(busy) / alone
    limit = 0.80 if engine == "native" else 0.65
    goal = Goal("≥", limit, of="ratio") if "q4_0" in model.stem else None
    return [
        Row(
            figure=f"decode to ceiling, {kind}",
            value=alone,
            unit="/s",
            baseline=ceiling,
            ratio=alone / ceiling,
            goal=goal,
        ),
        Row(figure="  lowered by a busy web process", value=100 * lowered, unit="%", goal=Goal("≤", 35)),
    ]


async def against_direct(model: Path, *, threads: int, rounds: int, tokens: int) -> list[Row]:
    """Compare the pool with the library called directly: same model, threads, slots, batches, in alternating rounds."""
    config = config_for(model, engine="llamacpp", threads=threads)
    through: dict[int, list[Round]] = {1: [], CROWD: []}
    direct: dict[int, list[Round]] = {1: [], CROWD: []}
    async with pool_of(config) as pool:
        with DirectEngine(config.worker_spec, system_prompt=SYSTEM, max_new_tokens=tokens) as engine:
            for number in range(rounds + 1):
                for users in (1, CROWD):
                    ours = await ask_all(pool, SYSTEM, story_questions(users), tokens=tokens)
                    theirs = await asyncio.to_thread(engine.ask_all, story_questions(users))
                    if number:  # The first round warms both up.
                        through[users].append(ours)
                        direct[users].append(theirs)
    return [*_paced(through, direct), *_first(through, direct)]


def _paced(through: dict[int, list[Round]], direct: dict[int, list[Round]]) -> list[Row]:
    rows = []
    for users in (1, CROWD):
        ours, theirs = (
            statistics.median(one.tokens_per_s for one in side[users]) for side in (through, direct)
        )
        rows.append(
            Row(
                figure=f"tokens per second through the pool, {users} at once",
                value=ours,
                unit="/s",
                baseline=theirs,
                ratio=ours / theirs,
                goal=Goal("≥", 0.98, of="ratio"),
            )
        )
    return rows


def _first(through: dict[int, list[Round]], direct: dict[int, list[Round]]) -> list[Row]:
    rows = []
    for users, percent, limit in ((1, 50, 5.0), (CROWD, 95, 40.0)):
        ours, theirs = (1000 * percentile(first_words(side[users]), percent) for side in (through, direct))
        rows.append(
            Row(
                figure=f"time to first token added, {users} at once, p{percent}",
                value=ours - theirs,
                unit="ms",
                baseline=theirs,
                ratio=ours / theirs,
                goal=Goal("≤", limit),
            )
        )
    return rows


async def many_streams(model: Path, *, threads: int, tokens: int) -> list[Row]:
    """Compare sixteen streams with one, decoding only: as many slots as streams, all prompts processed before."""
    found: dict[EngineName, tuple[float, float]] = {}
    for engine in ("llamacpp", *(("native",) if fits_here() else ())):
        name: EngineName = "native" if engine == "native" else "llamacpp"
        async with pool_of(config_for(model, engine=name, threads=threads, slots=CROWD)) as pool:
            await _paces(pool, rounds=1, tokens=8)
            one = statistics.median(await _paces(pool, rounds=2, tokens=tokens))
            found[name] = (one, await _decode_together(pool, tokens=tokens))
    one, many = found["llamacpp"]
    native = found.get("native")
    return [
        Row(
            figure=f"{CROWD} streams to 1, decode only, default",
            value=many,
            unit="/s",
            baseline=one,
            ratio=many / one,
            goal=Goal("≥", 1.8, of="ratio"),
        ),
        Row(
            figure=f"{CROWD} streams, native to default" + ("" if native else ": not built"),
            value=native[1] if native else NOT_MEASURED,
            unit="/s",
            baseline=many,
            ratio=native[1] / many if native else None,
            goal=Goal("≥", 1.5, of="ratio"),
        ),
    ]


async def _decode_together(pool: InferencePool, *, tokens: int) -> float:
    """Return tokens per second of all streams, from when the last one has begun to when the first one ends."""
    asked = [
        ask(pool, (ChatMessage("user", question),), tokens=4 * tokens) for question in story_questions(CROWD)
    ]
    told = await asyncio.gather(*asked)
    begin, end = max(one.stamps[0] for one in told), min(one.ended for one in told)
    if end <= begin:
        raise BenchmarkError("the streams did not overlap")
    share = [sum(begin < stamp <= end for stamp in one.stamps) / len(one.stamps) for one in told]
    made = [one.answer().tokens * part for one, part in zip(told, share, strict=True)]
    return sum(made) / (end - begin)


async def second_turn(model: Path, *, threads: int) -> list[Row]:
    """Compare the first words of a conversation's second turn with those of its first, after 2,000 tokens."""
    async with pool_of(config_for(model, engine="llamacpp", threads=threads)) as pool:
        await _paces(pool, rounds=1, tokens=4)
        opening = ChatMessage("user", f"{LONG} {story_questions(1)[0]}")
        first = await ask(pool, (opening,), tokens=16, person="returning")
        again = (opening, ChatMessage("assistant", first.text), ChatMessage("user", "And then?"))
        second = await ask(pool, again, tokens=16, person="returning")
    size = first.finished.usage.prompt_tokens if first.finished else 0
    return [
        Row(
            figure=f"first token of a second turn, {size} tokens",
            value=1000 * second.first_s,
            unit="ms",
            baseline=1000 * first.first_s,
            ratio=second.first_s / first.first_s,
            goal=Goal("≤", 0.05, of="ratio"),
        )
    ]


async def trouble(model: Path, *, threads: int, tokens: int) -> list[Row]:
    """Kill the worker and wait for the next words; recycle it while everybody is asking."""
    async with pool_of(replace(config_for(model, engine="llamacpp", threads=threads), standby="off")) as pool:
        await _paces(pool, rounds=1, tokens=4)
        began = time.perf_counter()
        os.kill(pool.worker_pid or 0, signal.SIGKILL)
        await asyncio.sleep(0.1)  # Until the pool has seen it: the turn shall not be on the dead one.
        told = await ask(pool, (ChatMessage("user", story_questions(1)[0]),), tokens=4)
        recovery = told.stamps[0] - began
        lost = await lost_under(pool, "benchmark", story_questions(CROWD), tokens=tokens)
    return [
        Row(figure="worker killed to the next first token", value=recovery, unit="s", goal=Goal("≤", 5)),
        Row(figure=f"turns refused or lost in a recycle, of {CROWD}", value=lost, unit="", goal=Goal("≤", 0)),
    ]


def _missing(figure: str, goal: Goal) -> Row:
    return Row(figure=figure, value=NOT_MEASURED, unit="", goal=goal)
