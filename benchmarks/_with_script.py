"""Measure with the scripted engine: one word every 10 ms for everybody, so that whatever is slower is the portal.

A model's own pace varies more from round to round than the portal adds. This engine's ideal is known exactly.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks._clients import Crowd
from benchmarks._figures import Round, first_words, percentile, quartiles, spread
from benchmarks._plan import CROWDS, MEMBERS, Plan, scripted_questions
from benchmarks._report import Goal, Report, Row
from benchmarks._server import Installation, Login, Portal

PAUSE_S = 0.010
FEW_WORDS = 1


@dataclass(frozen=True, slots=True)
class _Load:
    """Turns that were taken one after the other by everybody, and the web process's time for them."""

    turns: int
    tokens: int
    cpu_s: float


@dataclass(slots=True)
class _Found:
    first: dict[int, list[Round]] = field(default_factory=dict)
    pace: dict[int, list[Round]] = field(default_factory=dict)
    short: list[_Load] = field(default_factory=list)
    long: list[_Load] = field(default_factory=list)


def measure(report: Report, plan: Plan, installation: Installation, logins: Sequence[Login]) -> None:
    """Add what the portal itself costs."""
    settings = {
        "PORTAL_ENGINE": "scripted",
        "PORTAL_SCRIPTED_MS": str(round(1000 * PAUSE_S)),
        "PORTAL_SLOTS": str(MEMBERS),
    }
    found = _Found()
    with Portal(installation, settings) as portal:
        asyncio.run(_talk(found, plan, portal, logins))
    _report_pace(report, found)
    _report_cpu(report, found)


async def _talk(found: _Found, plan: Plan, portal: Portal, logins: Sequence[Login]) -> None:
    async with Crowd(portal.port, logins) as crowd:
        await crowd.ask_all(scripted_questions(MEMBERS, words=FEW_WORDS))
        for users in (1, MEMBERS):
            found.first[users] = [
                await crowd.ask_all(scripted_questions(users, words=FEW_WORDS))
                for _ in range(plan.scripted_first_rounds)
            ]
        for users in CROWDS:
            found.pace[users] = [
                await crowd.ask_all(scripted_questions(users, words=plan.scripted_tokens))
                for _ in range(plan.scripted_rounds)
            ]
        for _ in range(plan.scripted_rounds):
            found.short.append(await _load(crowd, portal, plan.turns_per_member, words=FEW_WORDS))
            found.long.append(await _load(crowd, portal, 1, words=plan.scripted_tokens))


async def _load(crowd: Crowd, portal: Portal, turns: int, *, words: int) -> _Load:
    questions = [scripted_questions(turns, words=words) for _ in crowd.members]
    before = portal.cpu_s()
    done = await crowd.ask_in_turn(questions)
    return _Load(turns=len(done.answers), tokens=done.tokens, cpu_s=portal.cpu_s() - before)


def _report_pace(report: Report, found: _Found) -> None:
    report.section(
        f"Scripted engine, a word every {1000 * PAUSE_S:.0f} ms, {MEMBERS} slots; baseline: its ideal"
    )
    for users, limit in ((1, 5), (MEMBERS, 40)):
        added = [1000 * (first - PAUSE_S) for first in first_words(found.first[users])]
        label = f"first token above ideal, {users} user{'s at once' if users > 1 else ''}"
        report.add(
            Row(figure=f"{label}, p50", value=percentile(added, 50), unit="ms", spread=quartiles(added)),
            Row(figure=f"{label}, p95", value=percentile(added, 95), unit="ms", goal=Goal("≤", limit)),
        )
    for users in CROWDS:
        ours = spread([one.tokens_per_s for one in found.pace[users]])
        ideal = users / PAUSE_S
        report.add(
            Row(
                figure=f"tokens per second, {users} user{'s' if users > 1 else ''}",
                value=ours.middle,
                unit="/s",
                spread=ours,
                baseline=ideal,
                ratio=ours.middle / ideal,
                goal=Goal("≥", 0.95, of="ratio"),
            )
        )


def _report_cpu(report: Report, found: _Found) -> None:
    """Solve cost = turns x per turn + tokens x per token, from rounds of short and of long answers."""
    per_turn, per_token = [], []
    for short, long in zip(found.short, found.long, strict=True):
        short_cost, long_cost = short.cpu_s / short.turns, long.cpu_s / long.turns
        short_tokens, long_tokens = short.tokens / short.turns, long.tokens / long.turns
        token = (long_cost - short_cost) / (long_tokens - short_tokens)
        per_token.append(1000 * token)
        per_turn.append(1000 * (short_cost - token * short_tokens))
    turn, token_ms = spread(per_turn), spread(per_token)
    report.add(
        Row(
            figure="CPU of the web process per saved chat",
            value=turn.middle,
            unit="ms",
            spread=turn,
            goal=Goal("≤", 8),
        ),
        Row(
            figure="CPU of the web process per token",
            value=token_ms.middle,
            unit="ms",
            spread=token_ms,
            goal=Goal("≤", 0.02),
        ),
    )
