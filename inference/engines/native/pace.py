"""Choose how many prompt tokens a step takes, so that those who already read hardly notice who arrives."""

from __future__ import annotations

# A step may take so many times what it takes without a prompt in it. The promise is twice.
_STRETCH = 1.8
_RELAXED = 1.55
# Where nobody listens yet, a step may take so many seconds: a stop takes effect within 0.3.
_ALONE_S = 0.18
# Steps after which a size that was too much is tried again.
_PATIENCE = 150
_WEIGHT = 0.2


class Pace:
    """Learn from every step how long it took. Of one thread."""

    def __init__(self, *, largest: int, per_token_s: float) -> None:
        self._largest = largest
        self._start = per_token_s
        self.reset()

    def reset(self) -> None:
        """Forget what was learnt: the number of threads has changed."""
        self._per_token = self._start
        self._plain: dict[int, float] = {}
        self._sizes: dict[int, int] = {}
        self._limits: dict[int, tuple[int, int]] = {}
        self._over = 0
        self._steps = 0

    def chunk(self, speaking: int) -> int:
        """Return how many prompt tokens the next step may take beside so many answers."""
        if not speaking:
            return max(8, min(int(_ALONE_S / self._per_token), self._largest))
        return min(self._sizes.get(speaking, 1 + speaking // 4), self._largest)

    def note(self, *, speaking: int, chunk: int, seconds: float) -> None:
        """Learn from a step that took so many prompt tokens beside so many answers."""
        self._steps += 1
        if not chunk:
            self._plain[speaking] = _blend(self._plain.get(speaking), seconds)
        elif not speaking:
            if chunk >= 8:
                self._per_token = _blend(self._per_token, seconds / chunk)
        elif chunk >= self.chunk(speaking):
            self._adapt(speaking, chunk, seconds / self._expected(speaking))

    def _adapt(self, speaking: int, chunk: int, ratio: float) -> None:
        self._over = self._over + 1 if ratio > _STRETCH else 0
        if self._over > 1:
            self._over = 0
            self._limits[speaking] = (chunk, self._steps + _PATIENCE)
            self._sizes[speaking] = max(1, chunk * 3 // 4)
        elif ratio < _RELAXED:
            limit, until = self._limits.get(speaking, (self._largest + 1, 0))
            if self._steps > until:
                limit = self._largest + 1
            self._sizes[speaking] = max(1, min(chunk + max(1, chunk // 4), limit - 1))

    def _expected(self, speaking: int) -> float:
        """Return the seconds of a step with answers only; where none has been seen, by that of the nearest number."""
        if speaking in self._plain:
            return self._plain[speaking]
        if not self._plain:
            return self._start * (2 + speaking)
        nearest = min(self._plain, key=lambda known: abs(known - speaking))
        return self._plain[nearest] * (2 + speaking) / (2 + nearest)


def _blend(old: float | None, new: float) -> float:
    return new if old is None else old + _WEIGHT * (new - old)


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
