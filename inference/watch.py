"""Notice turns that stand still, each for itself: one may hang while others on the same worker speak."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from inference.child import Child
from inference.turn import Turn

OnSilence = Callable[[Child, list[Turn]], None]


class Watch:
    """Call back with the turns of a worker that have given no sign of life for `hang_s` seconds.

    One timer per worker that has turns, none while it is idle, and no work per message.
    """

    def __init__(self, *, hang_s: float, on_silence: OnSilence) -> None:
        self._hang_s = hang_s
        self._on_silence = on_silence

    def begin(self, child: Child) -> None:
        """Watch over a worker that got its first turn."""
        child.set_timer(self._hang_s, lambda: self._check(child))

    def end(self, child: Child) -> None:
        """Leave a worker alone that has no turns: idle ones are silent."""
        child.set_timer(None)

    def _check(self, child: Child) -> None:
        now = asyncio.get_running_loop().time()
        last_heard = {turn: child.heard(turn) for turn in child.turns.values() if not turn.is_lost}
        due = [turn for turn, heard in last_heard.items() if heard + self._hang_s <= now]
        for turn in due:
            # Whatever is done about it takes its time: the next look at this turn is as long after this one.
            last_heard[turn] = now
        if last_heard:
            rest = min(last_heard.values()) + self._hang_s - now
            child.set_timer(max(rest, 0.01), lambda: self._check(child))
        if due:
            self._on_silence(child, due)
