"""Choose how many prompt tokens a step takes, so that those who already read hardly notice who arrives.

All that it needs it learns from the steps themselves: how long one takes without a prompt in it, and how much each
prompt token adds. One step that a busy machine drew out must not make all later ones timid: no single observation
counts for more than twice, or less than half, of what was known.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

# A step may take so many times what it takes without a prompt in it. The promise is twice: a part of it is for what
# rounding up adds, and for a context that grows faster than is learned.
_STRETCH = 1.5
# Where nobody listens yet, a step may take so many seconds: a stop takes effect within 0.3.
_ALONE_S = 0.18
_LEAST_ALONE = 8
_WEIGHT = 0.2
_MOST_CHANGE = 2.0
# The library multiplies four rows at a time, and each that is left over as if it were alone: 5 rows take as long as 8.
_GRAIN = 4
# Steps of so many tokens are measured at the start; between them the time is taken to grow evenly.
ANCHORS = (1, 8, 32)


class Pace:
    """Know how long a step takes that computes so many tokens, and learn from each. Of one thread."""

    def __init__(self, *, largest: int) -> None:
        self._largest = largest
        self._curve = [(size, 0.01 + size * 0.003) for size in ANCHORS]
        # Seconds: of steps without a prompt beside so many answers, and of a prompt's token beside so many (0: alone).
        self._plain: dict[int, float] = {}
        self._token: dict[int, float] = {}

    def begin(self, seconds: Sequence[float]) -> None:
        """Take how long steps of ANCHORS' sizes took: the smaller ones no longer than the larger ones."""
        least = list(itertools.accumulate(reversed(seconds), min))
        self._curve = list(zip(ANCHORS, reversed(least), strict=True))

    def expected(self, tokens: int) -> float:
        """Return the seconds that a step of so many tokens took by what was measured at the start."""
        for (low, fast), (high, slow) in itertools.pairwise(self._curve):
            if tokens <= high or high == ANCHORS[-1]:
                return fast + (tokens - low) * (slow - fast) / (high - low)
        raise AssertionError

    def chunk(self, speaking: int) -> int:
        """Return how many prompt tokens the next step may take beside so many answers; at least one.

        All rows of the step together are a multiple of _GRAIN: what rounds up costs nothing.
        """
        least = 1 if speaking else _LEAST_ALONE
        chunk = max(least, min(int(self._allowed_s(speaking) / self._token_s(speaking)), self._largest))
        return chunk + -(speaking + chunk) % _GRAIN

    def note(self, *, speaking: int, chunk: int, seconds: float) -> None:
        """Learn from a step that took so many prompt tokens beside so many answers."""
        if not chunk:
            self._plain[speaking] = _learn(self._plain.get(speaking), seconds, self.expected(speaking))
            return
        guess = self._token_s(speaking)
        # Beside a number of answers that is no multiple of _GRAIN, a few tokens more may even save time.
        added = max((seconds - self._plain_s(speaking)) / chunk, guess / _MOST_CHANGE)
        self._token[speaking] = _learn(self._token.get(speaking), added, guess)

    def _plain_s(self, speaking: int) -> float:
        """Return the seconds of a step that reads nothing."""
        return self._plain.get(speaking) or (self.expected(speaking) if speaking else 0.0)

    def _allowed_s(self, speaking: int) -> float:
        """Return the seconds that reading may add to a step."""
        return min(_ALONE_S, (_STRETCH - 1) * self._plain_s(speaking)) if speaking else _ALONE_S

    def _token_s(self, speaking: int) -> float:
        """Return the seconds that a prompt's token adds; before any was read, what the start lets expect."""
        if known := self._token.get(speaking):
            return known
        allowed, few = self._allowed_s(speaking), 1 if speaking else _LEAST_ALONE
        until = allowed + (self.expected(speaking) if speaking else 0.0)
        while few < self._largest and self.expected(speaking + few + 1) <= until:
            few += 1
        return allowed / few


def _learn(known: float | None, seen: float, guess: float) -> float:
    """Return what to expect after one more observation. The first one may be better news than any guess."""
    if known is None:
        return min(seen, guess * _MOST_CHANGE)
    return known + _WEIGHT * (min(max(seen, known / _MOST_CHANGE), known * _MOST_CHANGE) - known)


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
