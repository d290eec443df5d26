"""Sum up how a pool is, for those who look after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from inference import memory
from inference.breaker import Circuit
from inference.child import Child
from inference.config import PoolConfig
from inference.recycling import Recycler
from inference.supervisor import State, Supervisor

# `wanted` but not there: memory does not allow it, or it is about to be started.
StandbyState = Literal["off", "wanted", "loading", "ready"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStatus:
    """Show a pool at one moment. Figures of the worker are those of the active one, 0 while there is none.

    `last_recycle_at` is in seconds since the epoch, None before the first; `last_recycle` is why: request, turns,
    nightly, slow, memory or stuck. `draining` counts workers that only finish what they have. `own_bytes` is the
    memory that the worker has for itself, without the model's mapped file; `soft_bytes` is where it is recycled, 0
    where there is no such limit. `restarts` counts losses of a worker that was needed.
    """

    state: State
    circuit: Circuit
    worker_pid: int | None
    standby: StandbyState
    draining: int
    uptime_s: int
    turns: int
    tokens_per_second: float
    is_slow: bool
    own_bytes: int
    soft_bytes: int
    running: int
    queued: int
    slots: int
    restarts: int
    recycles: int
    last_recycle: str
    last_recycle_at: float | None
    last_error: str


def sum_up(
    config: PoolConfig, worker: Supervisor, recycler: Recycler, *, running: int, queued: int, now: float
) -> PoolStatus:
    """Return the status; `now` by the clock of the event loop."""
    child, recycled = worker.active, recycler.last
    return PoolStatus(
        state=worker.state,
        circuit=worker.breaker.circuit,
        worker_pid=worker.pid,
        standby=_standby(config, worker),
        draining=sum(each.phase == "draining" for each in list(worker.children)),
        uptime_s=round(now - child.born) if child else 0,
        turns=child.turns_done if child else 0,
        tokens_per_second=round(child.speed.recent, 1) if child else 0.0,
        is_slow=child.speed.is_slow if child else False,
        own_bytes=_own_bytes(child),
        soft_bytes=child.soft_bytes if child else 0,
        running=running,
        queued=queued,
        slots=config.slots,
        restarts=worker.restarts,
        recycles=recycler.count,
        last_recycle=recycled.reason if recycled else "",
        last_recycle_at=recycled.at if recycled else None,
        last_error=worker.last_error,
    )


def _own_bytes(child: Child | None) -> int:
    return (memory.own_bytes(child.pid or 0) or child.own_bytes) if child else 0


def _standby(config: PoolConfig, worker: Supervisor) -> StandbyState:
    spare = worker.spare
    if spare is None:
        return "off" if config.standby == "off" else "wanted"
    return "ready" if spare.phase == "ready" else "loading"
