"""Order those who wait, fairly between tenants, and estimate how long they will.

Round robin: each tenant in turn gets one place, first come first served inside a tenant. A tenant that
sends a hundred turns delays another tenant's first one by a single turn.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from typing import Generic, Protocol, TypeVar


class Waiting(Protocol):
    """Name what the queue must know of a turn."""

    @property
    def tenant(self) -> str:
        """Return whose turn it is."""


W = TypeVar("W", bound=Waiting)


class FairQueue(Generic[W]):
    """Hold those who wait, a lane per tenant.

    The first lane is the next to get a place, then it goes to the end.
    """

    def __init__(self) -> None:
        self._lanes: OrderedDict[str, deque[W]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._lanes.values()))

    def __iter__(self) -> Iterator[W]:
        """Go through all in the order in which they will get their place, if nobody else comes."""
        for depth in range(max(map(len, self._lanes.values()), default=0)):
            for lane in self._lanes.values():
                if depth < len(lane):
                    yield lane[depth]

    def push(self, waiting: W) -> None:
        """Put one at the end of its tenant's lane."""
        self._lanes.setdefault(waiting.tenant, deque()).append(waiting)

    def pop(self) -> W:
        """Take the next one. Raise KeyError if nobody waits."""
        tenant, lane = self._lanes.popitem(last=False)
        first = lane.popleft()
        if lane:
            self._lanes[tenant] = lane
        return first

    def remove(self, waiting: W) -> None:
        """Take one out who gives up. Raise KeyError or ValueError if it does not wait."""
        lane = self._lanes[waiting.tenant]
        lane.remove(waiting)
        if not lane:
            del self._lanes[waiting.tenant]


class Pace:
    """Keep a running mean of how long turns take, in seconds.

    Recent ones weigh more: load and models change.
    """

    def __init__(self, guess_s: float = 8.0) -> None:
        self.mean_s = guess_s

    def note(self, seconds: float) -> None:
        """Take one finished turn into the mean."""
        self.mean_s += 0.2 * (seconds - self.mean_s)

    def waits_ms(self, *, running_s: Iterable[float], slots: int, waiting: int) -> list[int]:
        """Estimate the wait of each of so many in the queue, in milliseconds.

        `running_s` says how long those on slots have run. Each slot comes free after the rest of a mean
        turn, then takes the next one for a whole mean turn.
        """
        busy = [max(0.1 * self.mean_s, self.mean_s - ran) for ran in running_s]
        free = (busy + [0.0] * slots)[: max(slots, len(busy))]
        heapq.heapify(free)
        return [round(heapq.heapreplace(free, free[0] + self.mean_s) * 1000) for _ in range(waiting)]
