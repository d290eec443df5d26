"""Run several models side by side: a pool for each, by its digest, behind one admission.

Rate, turns per person and places in the queue hold over all of them. One model takes over from another without a
refused or lost turn: its pool is started and ready before anybody is sent to it, and the other one finishes what it
has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from limits.storage import Storage

from inference.admission import Admission, AdmissionLimits
from inference.config import PoolConfig
from inference.engine import Origin
from inference.errors import EngineUnavailable
from inference.pool import InferencePool

# A large model on a slow disk takes minutes.
READY_TIMEOUT_S = 600.0


class ModelNotLoaded(Exception):
    """A model could not be made ready; the text says why and is safe to show to an operator."""


class Fleet:
    """Own the pools. All methods belong to the event loop."""

    def __init__(self, limits: AdmissionLimits, *, rate_storage: Storage | None = None) -> None:
        self._admission = Admission(limits, slots=0, storage=rate_storage)
        self._turnstile = asyncio.Lock()
        self._leaving: set[InferencePool] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._others_may_come = False
        self.pools: dict[str, InferencePool] = {}

    async def launch(self, config: PoolConfig) -> InferencePool:
        """Start the pool of a model that nobody waits for yet, and take it in at once; turns queue while it loads."""
        pool = self._make(config)
        self._take_in(pool)
        await pool.start()
        return pool

    async def add(self, config: PoolConfig) -> InferencePool:
        """Start the pool of a model and take it in when it is ready.

        Raise ModelNotLoaded; then nothing is left of it.
        """
        pool = self._make(config)
        self._leaving.add(pool)
        try:
            await pool.start()
            await pool.wait_ready(READY_TIMEOUT_S)
        except EngineUnavailable:
            raise ModelNotLoaded(pool.last_error or "the model did not load in time") from None
        else:
            self._take_in(pool)
        finally:
            self._leaving.discard(pool)
            if pool is not self.pools.get(config.model.digest):
                await pool.close()
        return pool

    def drain(self, digest: str) -> None:
        """Send nobody to that pool any more; it closes when its running and waiting turns have finished."""
        self._let_go(digest, InferencePool.drain)

    def stop(self, digest: str) -> None:
        """Close every pool of that model now, those that finish what they have included.

        Their turns end with EngineUnavailable.
        """
        for pool in self._leaving:
            if pool.config.model.digest == digest:
                self._spawn(pool.close())
        if digest in self.pools:
            self._let_go(digest, InferencePool.close)

    async def recycle(self, reason: str = "request") -> None:
        """Give every pool a fresh worker, one pool after the other. Raise EngineUnavailable where that fails."""
        for pool in list(self.pools.values()):
            await pool.recycle(reason)

    def expect_others(self, others_may_come: bool) -> None:  # noqa: FBT001
        """Say whether there is more than one tenant; see `InferencePool.expect_others`."""
        self._others_may_come = others_may_come
        for pool in self.pools.values():
            pool.expect_others(others_may_come)

    def forget(self, origin: Origin) -> None:
        """Let every engine drop what it keeps of that origin's text."""
        for pool in (*self.pools.values(), *self._leaving):
            pool.forget(origin)

    async def close(self) -> None:
        """Close every pool, those that drain included; return when no process is left."""
        pools = {*self.pools.values(), *self._leaving}
        self.pools.clear()
        await asyncio.gather(*(pool.close() for pool in pools))
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def digests(self) -> frozenset[str]:
        """Return of which models there are pools, those that load or finish included."""
        return frozenset(pool.config.model.digest for pool in (*self.pools.values(), *self._leaving))

    @property
    def leaving(self) -> int:
        """Return how many pools load or finish and take nobody."""
        return len(self._leaving)

    @property
    def leaving_pools(self) -> tuple[InferencePool, ...]:
        """Return those pools. May be read from any thread."""
        return tuple(self._leaving)

    def _make(self, config: PoolConfig) -> InferencePool:
        pool = InferencePool(config, admission=self._admission, turnstile=self._turnstile)
        pool.expect_others(self._others_may_come)
        return pool

    def _take_in(self, pool: InferencePool) -> None:
        self.pools[pool.config.model.digest] = pool
        self._count_slots()

    def _let_go(self, digest: str, end: Any) -> None:
        pool = self.pools.pop(digest)
        self._leaving.add(pool)
        self._count_slots()
        self._spawn(self._end(pool, end(pool)))

    async def _end(self, pool: InferencePool, ending: Coroutine[Any, Any, None]) -> None:
        try:
            await ending
        finally:
            self._leaving.discard(pool)

    def _count_slots(self) -> None:
        self._admission.set_slots(sum(pool.config.slots for pool in self.pools.values()))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="pool leaves")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
