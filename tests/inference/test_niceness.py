"""A worker that shall stand back does, with every thread that its engine makes."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from tests.inference.support import answer, ask, end_of, open_pool, scripted, worker_of


@pytest.mark.parametrize("niceness", [0, 19])
async def test_a_worker_runs_at_the_niceness_it_was_given(niceness: int) -> None:
    async with open_pool(dataclasses.replace(scripted(), niceness=niceness)) as pool:
        assert end_of(await answer(pool, ask("hello"))).reason == "complete"
        threads = threads_of(worker_of(pool))
        assert len(threads) > 1
        found = {os.getpriority(os.PRIO_PROCESS, thread) for thread in threads}
        assert min(19, niceness + os.getpriority(os.PRIO_PROCESS, 0)) in found
        assert len(found) <= 2  # The thread that writes to the pool is older than the wish.


def threads_of(pid: int) -> list[int]:
    return [int(path.name) for path in Path(f"/proc/{pid}/task").iterdir()]
