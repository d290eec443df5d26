"""Measure the first token through the whole portal: page's protocol, policy, store and audit included."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from benchmarks._clients import Crowd
from benchmarks._figures import first_words, percentile, quartiles
from benchmarks._inference_cost import CROWD, POSSIBLE_ADDED, SCRIPTED_MS
from benchmarks._plan import scripted_questions
from benchmarks._report import Goal, Row
from benchmarks._server import Installation, Portal


async def whole_portal(model: Path, *, rounds: int) -> list[Row]:
    """Compare first words through the portal with those of an engine that says its first one after a known time."""
    settings = {
        "PORTAL_ENGINE": "scripted",
        "PORTAL_SCRIPTED_MS": f"{SCRIPTED_MS:.0f}",
        "PORTAL_SLOTS": str(CROWD),
    }
    with tempfile.TemporaryDirectory(prefix="portal-bench-") as folder:
        installation = Installation(Path(folder))
        await asyncio.to_thread(installation.set_up, model)
        logins = await asyncio.to_thread(installation.create_members, CROWD)
        portal = await asyncio.to_thread(Portal, installation, settings)
        with portal:
            async with Crowd(portal.port, logins) as crowd:
                await crowd.ask_all(scripted_questions(CROWD, words=1))
                return [await _added(crowd, 1, 50, 5, rounds), await _added(crowd, CROWD, 95, 40, rounds)]


async def _added(crowd: Crowd, users: int, percent: int, limit: float, rounds: int) -> Row:
    taken = [await crowd.ask_all(scripted_questions(users, words=1)) for _ in range(rounds)]
    added = [1000 * first - SCRIPTED_MS for first in first_words(taken)]
    return Row(
        figure=f"first token above a scripted engine's, portal, {users} at once, p{percent}",
        value=percentile(added, percent),
        unit="ms",
        spread=quartiles(added),
        goal=Goal("≤", limit),
        plausible=POSSIBLE_ADDED,
    )
