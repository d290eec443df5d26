"""Measure what the pool costs: against the library called directly, and against an engine whose pace is known."""

from __future__ import annotations

import asyncio
import statistics
from pathlib import Path

from benchmarks._engine import DirectEngine
from benchmarks._figures import Round, first_words, percentile, quartiles
from benchmarks._inference_pool import ask_all, config_for, pool_of, scripted_config
from benchmarks._plan import scripted_questions, story_questions
from benchmarks._report import Goal, Row

SYSTEM = "You are a helpful assistant."
CROWD = 16
# A pool that is a sixth faster than what it calls was not measured beside it.
POSSIBLE_RATIO = (0.2, 1.15)
# Milliseconds. Nothing comes before it was asked for; a little less than the baseline is chance.
POSSIBLE_ADDED = (-50.0, 5000.0)
SCRIPTED_MS = 10.0
# Seconds before either side is asked: the threads of the other one spin for a while after their last token, and the
# worker, which stands back behind other processes, would lose a core to them where the direct engine would not.
REST_S = 0.5

Rounds = dict[int, list[Round]]


async def against_direct(model: Path, *, threads: int, singles: int, rounds: int, tokens: int) -> list[Row]:
    """Compare the pool with the library called directly: same model, threads, slots, batches, in alternating rounds.

    Everybody who asks is somebody new, of whom nothing is known; neither side may use what others have left.
    """
    config = config_for(model, engine="llamacpp", threads=threads)
    through: Rounds = {1: [], CROWD: []}
    direct: Rounds = {1: [], CROWD: []}
    async with pool_of(config) as pool:
        spec = config.worker_spec
        with DirectEngine(spec, system_prompt=SYSTEM, max_new_tokens=tokens, reuse=False) as engine:
            for number, users in enumerate([1, *[1] * singles, *[CROWD] * rounds]):
                await asyncio.sleep(REST_S)
                ours = await ask_all(pool, SYSTEM, story_questions(users), tokens=tokens)
                await asyncio.sleep(REST_S)
                theirs = await asyncio.to_thread(engine.ask_all, story_questions(users))
                if number:  # The first one warms both up.
                    through[users].append(ours)
                    direct[users].append(theirs)
    return [
        row
        for users in (1, CROWD)
        for row in (_paced(users, through, direct), _first(users, through, direct))
    ]


def _paced(users: int, through: Rounds, direct: Rounds) -> Row:
    pairs = zip(through[users], direct[users], strict=True)
    ratios = [ours.tokens_per_s / theirs.tokens_per_s for ours, theirs in pairs]
    return Row(
        figure=f"tokens per second through the pool, {users} at once",
        value=statistics.median(one.tokens_per_s for one in through[users]),
        unit="/s",
        baseline=statistics.median(one.tokens_per_s for one in direct[users]),
        ratio=statistics.median(ratios),
        goal=Goal("≥", 0.98, of="ratio"),
        plausible=POSSIBLE_RATIO,
    )


def _first(users: int, through: Rounds, direct: Rounds) -> Row:
    """Judge one at a time. With many, most of it is the wait for others on both sides, whose chance is larger."""
    percent = 50 if users == 1 else 95
    ours, theirs = first_words(through[users]), first_words(direct[users])
    added = [1000 * (mine - yours) for mine, yours in zip(ours, theirs, strict=True)]
    return Row(
        figure=f"  first token added, {users} at once, p{percent}",
        value=statistics.median(added)
        if users == 1
        else 1000 * (percentile(ours, 95) - percentile(theirs, 95)),
        unit="ms",
        spread=quartiles(added),
        baseline=1000 * percentile(theirs, percent),
        goal=Goal("≤", 5) if users == 1 else None,
        plausible=POSSIBLE_ADDED,
    )


async def above_ideal(*, rounds: int) -> list[Row]:
    """Compare first words with those of an engine that says its first one after a known time, to everybody."""
    rows = []
    async with pool_of(scripted_config(SCRIPTED_MS, slots=CROWD)) as pool:
        await ask_all(pool, SYSTEM, scripted_questions(CROWD, words=1), tokens=8)
        for users, limit, percent in ((1, 5.0, 50), (CROWD, 40.0, 95)):
            taken = [
                await ask_all(pool, SYSTEM, scripted_questions(users, words=1), tokens=8)
                for _ in range(rounds)
            ]
            added = [1000 * first - SCRIPTED_MS for first in first_words(taken)]
            rows.append(
                Row(
                    figure=f"first token above a scripted engine's, {users} at once, p{percent}",
                    value=percentile(added, percent),
                    unit="ms",
                    spread=quartiles(added),
                    goal=Goal("≤", limit),
                    plausible=POSSIBLE_ADDED,
                )
            )
    return rows
