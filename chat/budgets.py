"""Bound how often something may be asked for."""

from __future__ import annotations

import time


class FrameBudget:
    """A leaky bucket: `burst` frames at once, `per_second` in the long run."""

    def __init__(self, *, burst: float = 300, per_second: float = 100) -> None:
        self._burst, self._per_second = burst, per_second
        self._level, self._at = 0.0, time.monotonic()

    def take(self, cost: float = 1) -> bool:
        """Count one frame, or what a dear one costs more; return False when there are too many."""
        now = time.monotonic()
        self._level, self._at = max(0.0, self._level - (now - self._at) * self._per_second), now
        if self._level + cost > self._burst:
            return False
        self._level += cost
        return True

    @property
    def is_empty(self) -> bool:
        """Return whether nothing counts any more."""
        return self._level - (time.monotonic() - self._at) * self._per_second <= 0
