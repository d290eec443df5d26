"""Decide who may have a turn now: rate, turns per person, room in the queue.

A ticket is a place for one turn. One tenant cannot take them all where others may come: it may hold so many times what
is still free (Choudhury and Hahne, "Dynamic queue length thresholds", 1998), so that a place is left for whoever comes,
and no tenant needs a fixed part that lies idle.

What counts towards the rate is only a ticket that was given: an attempt that is refused, for whatever reason, costs
nothing, so that impatience does not lock anybody out for longer.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage, Storage
from limits.strategies import MovingWindowRateLimiter

from inference.errors import Busy, QueueFull, RateLimited, TenantBusy
from inference.queueing import Claim

# A tenant of weight 1 may hold three times what is free: alone that is three quarters of all places.
TIMES_FREE = 3


@dataclass(frozen=True, slots=True)
class AdmissionLimits:
    """Set what one person and the queue may hold. Times in seconds."""

    rate_per_minute: int = 5
    running_per_person: int = 1
    queue_length: int = 64
    queue_timeout_s: float = 60

    def __post_init__(self) -> None:
        """Refuse limits that would admit nobody."""
        if self.rate_per_minute < 1 or self.running_per_person < 1:
            raise ValueError("a person must be allowed at least one turn")
        if self.queue_length < 0 or self.queue_timeout_s <= 0:
            raise ValueError("queue_length or queue_timeout_s is out of range")


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one tenant grants its people, in place of the pool's limits, and is granted itself.

    `running_per_tenant` counts all turns of the tenant that run or wait; 0 is no bound.
    """

    rate_per_minute: int
    running_per_person: int
    running_per_tenant: int = 0

    def __post_init__(self) -> None:
        """Refuse limits that would admit nobody."""
        if self.rate_per_minute < 1 or self.running_per_person < 1 or self.running_per_tenant < 0:
            raise ValueError("a person must be allowed at least one turn")


class Admission:
    """Count the tickets that are out, and refuse a further one where a limit says so.

    The rate is kept in `storage` by the `limits` library (moving window). In memory it holds for one web
    process; a shared storage makes it hold for all.
    """

    def __init__(self, limits: AdmissionLimits, *, slots: int, storage: Storage | None = None) -> None:
        self._limits = limits
        self._usual = Allowance(limits.rate_per_minute, limits.running_per_person)
        self._window = MovingWindowRateLimiter(storage if storage is not None else MemoryStorage())
        self._places = slots + limits.queue_length
        self._out: Counter[tuple[str, str]] = Counter()
        self._tenants: Counter[str] = Counter()
        self.others_may_come = False

    def set_slots(self, slots: int) -> None:
        """Say how many slots there are now: those who hold one do not wait."""
        self._places = slots + self._limits.queue_length

    @property
    def tickets(self) -> int:
        """Return how many tickets are out."""
        return self._out.total()

    def take(
        self,
        claim: Claim,
        *,
        turn_ms: Callable[[], int],
        place_ms: Callable[[], int],
        allowance: Allowance | None = None,
    ) -> None:
        """Take a place. Raise Busy, TenantBusy, QueueFull or RateLimited.

        `turn_ms` and `place_ms` estimate how long a turn takes and until a place comes free: told to whom
        is refused. With another rate than before, a person's minute begins anew.
        """
        key, allowed = (claim.tenant, claim.person), allowance or self._usual
        if self._out[key] >= allowed.running_per_person:
            raise Busy(retry_after_ms=turn_ms())
        if 0 < allowed.running_per_tenant <= self._tenants[claim.tenant]:
            raise TenantBusy(retry_after_ms=turn_ms())
        if not self._has_place(claim):
            raise QueueFull(retry_after_ms=place_ms())
        rate = RateLimitItemPerMinute(allowed.rate_per_minute)
        if not self._window.hit(rate, *key):
            reset, _ = self._window.get_window_stats(rate, *key)
            raise RateLimited(retry_after_ms=max(1, round((reset - time.time()) * 1000)))
        self._out[key] += 1
        self._tenants[claim.tenant] += 1

    def give_back(self, claim: Claim) -> None:
        """Give a place back. Call it once for each `take`."""
        self._out -= Counter({(claim.tenant, claim.person): 1})
        self._tenants -= Counter({claim.tenant: 1})

    def _has_place(self, claim: Claim) -> bool:
        free, mine = self._places - self.tickets, self._tenants[claim.tenant]
        if not mine or not (self.others_may_come or self.tickets > mine):
            return free > 0
        return free > 1 and mine < TIMES_FREE * claim.weight * free
