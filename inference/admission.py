"""Decide who may have a turn now: rate, turns per person, room in the queue.

A ticket is a place for one turn. What counts towards the rate is only a ticket that was given: an attempt
that is refused, for whatever reason, costs nothing, so that impatience does not lock anybody out for
longer.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage, Storage
from limits.strategies import MovingWindowRateLimiter

from inference.errors import Busy, QueueFull, RateLimited


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


class Admission:
    """Count the tickets that are out, and refuse a further one where a limit says so.

    The rate is kept in `storage` by the `limits` library (moving window). In memory it holds for one web
    process; a shared storage makes it hold for all.
    """

    def __init__(self, limits: AdmissionLimits, *, slots: int, storage: Storage | None = None) -> None:
        self._limits = limits
        self._rate = RateLimitItemPerMinute(limits.rate_per_minute)
        self._window = MovingWindowRateLimiter(storage if storage is not None else MemoryStorage())
        self._places = slots + limits.queue_length
        self._out: Counter[tuple[str, str]] = Counter()

    @property
    def tickets(self) -> int:
        """Return how many tickets are out."""
        return self._out.total()

    def take(self, *, tenant: str, person: str, turn_ms: int, place_ms: int) -> None:
        """Take a place. Raise Busy, QueueFull or RateLimited.

        `turn_ms` and `place_ms` estimate how long a turn takes and until a place comes free: told to whom
        is refused.
        """
        key = (tenant, person)
        if self._out[key] >= self._limits.running_per_person:
            raise Busy(retry_after_ms=turn_ms)
        if self.tickets >= self._places:
            raise QueueFull(retry_after_ms=place_ms)
        if not self._window.hit(self._rate, tenant, person):
            reset, _ = self._window.get_window_stats(self._rate, tenant, person)
            raise RateLimited(retry_after_ms=max(1, round((reset - time.time()) * 1000)))
        self._out[key] += 1

    def give_back(self, *, tenant: str, person: str) -> None:
        """Give a place back. Call it once for each `take`."""
        key = (tenant, person)
        self._out[key] -= 1
        if not self._out[key]:
            del self._out[key]
