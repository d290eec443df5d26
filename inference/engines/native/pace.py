"""Choose how many prompt tokens a step takes, so that those who already read hardly notice who arrives."""

from __future__ import annotations

import itertools

# A step may take so many times what it takes without a prompt in it. The promise is twice.
_STRETCH = 1.75
# Where nobody listens yet, a step may take so many seconds: a stop takes effect within 0.3.
_ALONE_S = 0.18
_WEIGHT = 0.2
# Corrections by what was seen: downwards quickly, upwards slowly.
_TOO_LONG, _SHORT = 1.9, 1.6
_TIGHTEN, _LOOSEN = 0.95, 1.01
# Steps of so many tokens are measured at the start; between them the time is taken to grow evenly.
ANCHORS = (1, 8, 32)


class Pace:
    """Know how long a step takes that computes so many tokens, and learn from each. Of one thread."""

    def __init__(self, *, largest: int) -> None:
        self._largest = largest
        self._curve = [(size, 0.01 + size * 0.003) for size in ANCHORS]
        self._plain: dict[int, float] = {}
        self._ease: dict[int, float] = {}
        self._alone = 1.0

    def begin(self, seconds: list[float]) -> None:
        """Take how long steps of ANCHORS' sizes took."""
        self._curve = list(zip(ANCHORS, itertools.accumulate(seconds, max), strict=True))

    def expected(self, tokens: int) -> float:
        """Return the seconds that a step of so many tokens should take."""
        for (low, fast), (high, slow) in itertools.pairwise(self._curve):
            if tokens <= high or high == ANCHORS[-1]:
                return fast + (tokens - low) * (slow - fast) / (high - low)
        raise AssertionError

    def chunk(self, speaking: int) -> int:
        """Return how many prompt tokens the next step may take beside so many answers; at least one."""
        if speaking:
            allowed = _STRETCH * self._ease.get(speaking, 1.0) * self.expected(speaking)
        else:
            allowed = _ALONE_S / self._alone
        chunk = 1 if speaking else 8
        while chunk < self._largest and self.expected(speaking + chunk + 1) <= allowed:
            chunk += 1
        return chunk

    def note(self, *, speaking: int, chunk: int, seconds: float) -> None:
        """Learn from a step that took so many prompt tokens beside so many answers."""
        if not speaking:
            self._alone = _blend(self._alone, seconds / self.expected(chunk))
        elif not chunk:
            self._plain[speaking] = _blend(self._plain.get(speaking, seconds), seconds)
        elif speaking in self._plain and chunk == self.chunk(speaking):
            ratio = seconds / self._plain[speaking]
            turn = _TIGHTEN if ratio > _TOO_LONG else _LOOSEN if ratio < _SHORT else 1.0
            self._ease[speaking] = min(max(self._ease.get(speaking, 1.0) * turn, 0.3), 2.0)


def _blend(old: float, new: float) -> float:
    return old + _WEIGHT * (new - old)


def share(budget: int, waiting: list[int]) -> list[int]:
    """Share a chunk among prompts that still lack so many tokens, the oldest first in the list.

    The oldest gets half, so that it ends; the shortest get the rest, so that who only adds a line waits for nobody.
    """
    shares = [0] * len(waiting)
    shares[0] = min(waiting[0], budget if len(waiting) == 1 else -(-budget // 2))
    left = budget - shares[0]
    for index in sorted(range(len(waiting)), key=lambda at: waiting[at]):
        more = min(waiting[index] - shares[index], left)
        shares[index] += more
        left -= more
    return shares
