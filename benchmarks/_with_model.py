"""Measure with a real model: the portal and the engine called directly, in alternating rounds."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks._clients import Crowd
from benchmarks._engine import DirectEngine
from benchmarks._figures import Answer, Round, Spread, first_words, percentile, quartiles, spread
from benchmarks._page import PageWeight, weigh
from benchmarks._plan import CROWDS, MEMBERS, Plan, story_questions
from benchmarks._report import Goal, Report, Row
from benchmarks._server import Installation, Login, Portal
from inference.engine import ThreadTrial, WorkerSpec
from inference.governor import usual_threads
from inference.tuning import choose

# Enough for an answer to run, little enough to take many samples.
STOP_AFTER = 5
SLOTS = 4
# A slow machine shall give slow figures, not refusals.
QUEUE_TIMEOUT_S = 600


@dataclass(slots=True)
class _Found:
    """What the runs with a model have shown."""

    healthy: list[float] = field(default_factory=list)
    ready: list[float] = field(default_factory=list)
    direct_ready_s: float = 0.0
    singles: list[Answer] = field(default_factory=list)
    direct_singles: list[Answer] = field(default_factory=list)
    rounds: dict[int, list[Round]] = field(default_factory=dict)
    direct_rounds: dict[int, list[Round]] = field(default_factory=dict)
    resident_mb: float = 0.0
    page: PageWeight | None = None


def measure(
    report: Report, plan: Plan, installation: Installation, logins: Sequence[Login], model: Path
) -> None:
    """Add what can only be said with a model: speed against the engine itself, starts, memory, the first page."""
    found = _Found()
    settings = {
        "PORTAL_SLOTS": str(SLOTS),
        "PORTAL_MAX_NEW_TOKENS": str(plan.model_tokens),
        "PORTAL_QUEUE_TIMEOUT_S": str(QUEUE_TIMEOUT_S),
    }
    # The first start writes byte code; it is not counted.
    for number in range(plan.starts + 1):
        with Portal(installation, settings) as portal:
            if number:
                found.healthy.append(portal.healthy_s)
                found.ready.append(portal.ready_s)
            if number == plan.starts:
                asyncio.run(_talk(found, plan, portal, logins, model, installation.data_dir))
    _report_speed(report, found, threads=_threads(installation.data_dir))
    _report_process(report, found)


async def _talk(  # noqa: PLR0917 - one call
    found: _Found, plan: Plan, portal: Portal, logins: Sequence[Login], model: Path, data_dir: Path
) -> None:
    found.page = await asyncio.to_thread(weigh, f"http://127.0.0.1:{portal.port}/accounts/login/")
    async with Crowd(portal.port, logins) as crowd:
        spec = WorkerSpec(
            engine="llamacpp",
            model_path=str(model),
            context_tokens=crowd.members[0].ready["limits"]["context_tokens"],
            slots=SLOTS,
            threads=_threads(data_dir),
            memory_bytes=0,
            scripted_ms=0,
        )
        with DirectEngine(spec, system_prompt=_system_prompt(), max_new_tokens=plan.model_tokens) as direct:
            found.direct_ready_s = direct.ready_s
            # Every slot has then seen the system prompt, on both sides.
            await _compare(crowd, direct, users=SLOTS)
            await _ask_singly(found, plan, crowd, direct)
            await _ask_in_crowds(found, plan, crowd, direct)
        found.resident_mb = portal.resident_mb()


async def _compare(crowd: Crowd, direct: DirectEngine, *, users: int) -> tuple[Round, Round]:
    through = await crowd.ask_all(story_questions(users))
    return through, await asyncio.to_thread(direct.ask_all, story_questions(users))


async def _ask_in_crowds(found: _Found, plan: Plan, crowd: Crowd, direct: DirectEngine) -> None:
    """Take rounds with ever more people, as many as there is time for, at least one."""
    began = time.monotonic()
    for number in range(plan.crowd_rounds):
        if number and time.monotonic() - began > plan.crowd_budget_s:
            return
        for users in CROWDS:
            through, without = await _compare(crowd, direct, users=users)
            found.rounds.setdefault(users, []).append(through)
            found.direct_rounds.setdefault(users, []).append(without)


async def _ask_singly(found: _Found, plan: Plan, crowd: Crowd, direct: DirectEngine) -> None:
    """One person, the answer stopped after a few words: many samples of the first words and of the stop."""
    for _ in range(plan.single_pairs):
        [question] = story_questions(1)
        found.singles.append(await crowd.members[0].ask(question, stop_after=STOP_AFTER))
        one = await asyncio.to_thread(direct.ask_all, story_questions(1), stop_after=STOP_AFTER)
        found.direct_singles += one.answers


def _system_prompt() -> str:
    # Read late: settings are read from the environment when Django's are.
    from common.config import SYSTEM_PROMPT  # noqa: PLC0415

    return SYSTEM_PROMPT


def _report_speed(report: Report, found: _Found, *, threads: int) -> None:
    rounds = len(found.rounds[MEMBERS])
    report.section(f"Speed: {SLOTS} slots, {threads} thread(s), {rounds} round(s), every chat a new one")
    through = [answer.first_s for answer in found.singles]
    direct = [answer.first_s for answer in found.direct_singles]
    differences = [1000 * (ours - theirs) for ours, theirs in zip(through, direct, strict=True)]
    report.add(
        _added("first token above direct, 1 user, p50", through, direct, 50, quartiles(differences), limit=5),
        _added("first token above direct, 1 user, p95", through, direct, 95),
    )
    through, direct = first_words(found.rounds[MEMBERS]), first_words(found.direct_rounds[MEMBERS])
    report.add(
        _added(f"first token above direct, {MEMBERS} users, p50", through, direct, 50),
        _added(f"first token above direct, {MEMBERS} users, p95", through, direct, 95),
    )
    for users in CROWDS:
        report.add(_pace(users, found.rounds[users], found.direct_rounds[users]))


def _added(
    figure: str,
    through: Sequence[float],
    direct: Sequence[float],
    percent: float,
    between: Spread | None = None,
    *,
    limit: float | None = None,
) -> Row:
    ours, theirs = 1000 * percentile(through, percent), 1000 * percentile(direct, percent)
    return Row(
        figure=figure,
        value=ours - theirs,
        unit="ms",
        spread=between,
        baseline=theirs,
        ratio=ours / theirs,
        goal=Goal("≤", limit) if limit is not None else None,
    )


def _pace(users: int, through: Sequence[Round], direct: Sequence[Round]) -> Row:
    ours = spread([one.tokens_per_s for one in through])
    theirs = spread([one.tokens_per_s for one in direct])
    return Row(
        figure=f"tokens per second, {users} user{'s' if users > 1 else ''}",
        value=ours.middle,
        unit="/s",
        spread=ours,
        baseline=theirs.middle,
        ratio=ours.middle / theirs.middle,
        goal=Goal("≥", 0.98, of="ratio"),
    )


def _report_process(report: Report, found: _Found) -> None:
    stops = [1000 * answer.stop_s for answer in found.singles]
    healthy, ready = spread(found.healthy), spread(found.ready)
    report.section("The web process")
    report.add(
        Row(
            figure="chat.stop to turn.done, p95",
            value=percentile(stops, 95),
            unit="ms",
            spread=spread(stops),
            goal=Goal("≤", 300),
        ),
        Row(
            figure="start to /healthz, second start",
            value=healthy.middle,
            unit="s",
            spread=healthy,
            goal=Goal("≤", 1.5),
        ),
        Row(
            figure="start to model ready, second start",
            value=ready.middle,
            unit="s",
            spread=ready,
            baseline=found.direct_ready_s,
            ratio=ready.middle / found.direct_ready_s,
            goal=Goal("≤", 2.5),
        ),
        Row(
            figure="resident memory after these turns", value=found.resident_mb, unit="MB", goal=Goal("≤", 90)
        ),
    )
    if found.page is not None:
        report.add(*_page_rows(found.page))


def _page_rows(page: PageWeight) -> list[Row]:
    """Judge page, script and icon apart from the one stylesheet, which every later page shares."""
    own = page.bytes_sent - page.stylesheet_bytes
    return [
        Row(figure="sign-in page without stylesheet, sent", value=own / 1000, unit="kB", goal=Goal("≤", 12)),
        Row(
            figure="  its requests",
            value=page.requests - page.stylesheets,
            unit="",
            goal=Goal("≤", 3),
        ),
        Row(figure="  stylesheets", value=page.stylesheets, unit="", goal=Goal("≤", 1)),
        Row(figure="  stylesheet, sent", value=page.stylesheet_bytes / 1000, unit="kB"),
    ]


def _threads(data_dir: Path) -> int:
    """Return how many threads the portal has chosen for its worker at its first start."""
    try:
        entries = json.loads((data_dir / "threads.json").read_text()).values()
    except OSError:
        return usual_threads()
    return choose([ThreadTrial(*trial) for trial in list(entries)[-1]])
