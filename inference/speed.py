"""Notice that a worker has become much slower than it was."""

from __future__ import annotations

from collections import defaultdict, deque
from statistics import median

# Turns that make up "lately", and those before them that make up "usually". A turn of a few words measures nothing.
LATELY = 5
USUALLY = 15
MIN_TOKENS = 8
# Lately below this share of usually is a slow-down. A neighbour that takes half of the machine is none.
SLOW_SHARE = 0.25


class Speedometer:
    """Keep the tokens per second of one worker's latest turns, apart for each number of turns that shared it.

    A new worker gets a new one: what is slow from its first turn on has no earlier level to fall from, so that a
    machine that has become slow as a whole does not have its workers replaced again and again.
    """

    def __init__(self) -> None:
        self._paces: dict[int, deque[float]] = defaultdict(lambda: deque(maxlen=LATELY + 4 * USUALLY))
        self.recent = 0.0

    def note(self, *, tokens_per_second: float, tokens: int, turns: int) -> None:
        """Take in a turn that ended; `turns` ran on the worker at that time, itself included."""
        if tokens >= MIN_TOKENS and tokens_per_second > 0:
            self._paces[turns].append(tokens_per_second)
            self.recent = tokens_per_second

    @property
    def is_slow(self) -> bool:
        """Return whether turns under the same load are now far slower than they were."""
        return any(_has_fallen(list(paces)) for paces in self._paces.values())


def _has_fallen(paces: list[float]) -> bool:
    lately, usually = paces[-LATELY:], paces[:-LATELY]
    return len(usually) >= USUALLY and median(lately) < SLOW_SHARE * median(usually)
