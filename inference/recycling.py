"""Put a fresh worker in the place of one that works, without a lost turn."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from inference.child import Child
from inference.errors import EngineUnavailable
from inference.supervisor import Supervisor


@dataclass(frozen=True, slots=True)
class Recycled:
    """Say when (seconds since the epoch) and why a worker was replaced as planned."""

    at: float
    reason: str


class Recycler:
    """Replace the active worker, one recycle at a time. Counts how often, and remembers the last one."""

    def __init__(self, worker: Supervisor) -> None:
        self._worker = worker
        self._task: asyncio.Task[None] | None = None
        self.count = 0
        self.last: Recycled | None = None

    @property
    def is_emptying(self) -> bool:
        """Return whether turns wait because memory allows no second worker beside one that is being replaced."""
        return self._worker.active is None and self._task is not None

    async def recycle(self, reason: str) -> None:
        """Put a fresh worker in the place of the active one; return when the old one is gone.

        New turns go to the fresh one, the old one finishes what it has. Where memory does not allow two, turns wait in
        the queue meanwhile. A second call while one is under way waits for that one. Raise EngineUnavailable if no
        fresh worker can be had; then the old one goes on.
        """
        await asyncio.shield(self.begin(reason))

    def begin(self, reason: str) -> asyncio.Task[None]:
        """Do the same without waiting for it; return the task, which never fails unseen."""
        if self._task is None:
            self._worker.is_recycling = True
            self._task = self._worker.spawn(self._recycle(reason), "recycle")
            self._task.add_done_callback(self._end)
        return self._task

    def _end(self, task: asyncio.Task[None]) -> None:
        self._task = None
        self._worker.is_recycling = False
        self._worker.standby.release_unwanted()
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, EngineUnavailable):
            raise error

    async def _recycle(self, reason: str) -> None:
        worker = self._worker
        await worker.until_settled()
        old = worker.active
        if old is None:
            raise EngineUnavailable
        heir = worker.spare or (worker.start_child(is_spare=True) if worker.standby.has_room() else None)
        if heir is not None:
            await self._wait_loaded(heir, old)
        if old is worker.active:
            self.count += 1
            self.last = Recycled(time.time(), reason)
            worker.retire(old)
        await worker.until(lambda: old.phase == "gone")
        await worker.until_settled()

    async def _wait_loaded(self, heir: Child, old: Child) -> None:
        """Return when the heir is ready, or takes over already because the old one was lost."""
        await self._worker.until(lambda: heir.phase != "loading" or old.phase == "gone")
        if heir.phase == "gone" and old.phase != "gone":
            raise EngineUnavailable
