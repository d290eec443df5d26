"""Decide when a worker is due to be replaced: at night, after many turns, when it has grown or become slow."""

from __future__ import annotations

import asyncio
import time

from inference import memory
from inference.child import Child
from inference.config import PoolConfig
from inference.engine import Outcome
from inference.errors import EngineUnavailable
from inference.recycling import Recycler
from inference.supervisor import Supervisor

# The only timer of an idle pool, in seconds.
LOOK_S = 60.0
# A worker younger than this is not replaced because of its size or speed: it would not help, and go on for ever.
FLOOR_S = 600.0
# At night only workers older than this are replaced: the hour has many minutes.
NIGHTLY_AGE_S = 2 * 3600.0
# Share of what the hard limit leaves beside the model's mapped file.
SOFT_SHARE = 0.8


class Upkeep:
    """Look at the active worker once a minute and after each turn, and recycle it where that is due.

    Pools that share `turnstile` are recycled one after the other.
    """

    def __init__(
        self, config: PoolConfig, worker: Supervisor, recycler: Recycler, turnstile: asyncio.Lock
    ) -> None:
        self._config = config
        self._worker = worker
        self._recycler = recycler
        self._turnstile = turnstile
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look."""
        self._timer = asyncio.get_running_loop().call_later(LOOK_S, self._look)

    def stop(self) -> None:
        """End it."""
        for pending in (self._timer, self._task):
            if pending is not None:
                pending.cancel()

    def note_turn(self, child: Child, outcome: Outcome) -> None:
        """Take in a turn that has just ended on a worker, which still counts it."""
        child.turns_done += 1
        child.speed.note(
            tokens_per_second=outcome.tokens_per_second,
            tokens=outcome.usage.completion_tokens,
            turns=len(child.turns),
        )

    async def recycle(self, reason: str) -> None:
        """Recycle the worker when no other pool is being recycled. Raise EngineUnavailable if that is not possible."""
        async with self._turnstile:
            await self._recycler.recycle(reason)

    def check(self) -> None:
        """Begin to recycle the active worker if something asks for it."""
        child = self._worker.active
        if child is None or self._task is not None:
            return
        reason = self._reason(child)
        if reason:
            self._task = asyncio.create_task(self._recycle(reason), name="upkeep")

    async def _recycle(self, reason: str) -> None:
        try:
            await self.recycle(reason)
        except EngineUnavailable:
            # The old worker goes on, or nobody does: what went wrong is the supervisor's last error.
            await asyncio.sleep(LOOK_S)
        finally:
            self._task = None

    def _look(self) -> None:
        self.start()
        self._worker.look_after()
        if (child := self._worker.active) is not None and not child.soft_bytes:
            child.soft_bytes = self._soft_bytes(child)
        self.check()

    def _reason(self, child: Child) -> str:
        age_s = asyncio.get_running_loop().time() - child.born
        if child.has_lost_slot:
            return "stuck"
        if 0 < self._config.recycle_turns <= child.turns_done:
            return "turns"
        if age_s >= NIGHTLY_AGE_S and time.localtime().tm_hour == self._config.recycle_hour:
            return "nightly"
        if age_s >= FLOOR_S and child.speed.is_slow:
            return "slow"
        if age_s >= FLOOR_S and self._has_grown(child):
            return "memory"
        return ""

    def _has_grown(self, child: Child) -> bool:
        return 0 < child.soft_bytes <= child.own_bytes

    def _soft_bytes(self, child: Child) -> int:
        """Return at which size of its own memory a worker is recycled; 0 if there is no limit to derive it from."""
        if self._config.soft_bytes:
            return self._config.soft_bytes
        hard = memory.address_limit(child.pid or 0)
        path = self._config.model_path
        if hard is None or path is None or not path.exists():
            return 0
        return max(0, round(SOFT_SHARE * (hard - path.stat().st_size)))
