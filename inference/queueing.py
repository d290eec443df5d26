"""Order those who wait: fairly between tenants, then between the people of a tenant, by the work each was given.

Start-time fair queueing on two levels. Each tenant, and inside it each person, has a virtual time: the work done for
it divided by its weight. Who has the least comes next. Work is what a turn holds a slot for, in seconds; it is charged
with what a turn is expected to take when it gets its slot, and put right when the turn is over. Who comes back after a
pause starts at the present virtual time, so that a pause saves nothing up. What a tenant owes it still owes after a
pause. A person's debt ends with their last turn: a person has one turn at a time, so whoever comes later and owes less
would overtake, and no estimate of a wait could hold.

Of two tenants that both wait all the time, neither gets ahead of the other, in work over weight, by more than the
turns that are on slots at one time. The source is Goyal, Vin and Cheng, "Start-time fair queuing" (1996).
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

MAX_WEIGHT = 1000.0


@dataclass(frozen=True, slots=True)
class Claim:
    """Say who asks: a person of a tenant, whose weight is its share against 1 of an ordinary tenant."""

    tenant: str
    person: str
    weight: float = 1.0

    def __post_init__(self) -> None:
        """Refuse weights that are no share."""
        if not 0 < self.weight <= MAX_WEIGHT:
            raise ValueError("a tenant's weight is out of range")


class Waiting(Protocol):
    """Name what the queue must know of a turn."""

    @property
    def claim(self) -> Claim:
        """Return who it is for."""


W = TypeVar("W", bound=Waiting)


class Rota:
    """Keep the virtual times of the members of one level. A member is active while it waits or runs.

    `remembers` says whether what a member owes outlives a pause.
    """

    def __init__(self, *, remembers: bool) -> None:
        self._remembers = remembers
        self._times: dict[str, float] = {}
        self._active: dict[str, int] = {}
        self._now = 0.0

    @property
    def is_busy(self) -> bool:
        """Return whether any member is active."""
        return bool(self._active)

    def time(self, member: str) -> float:
        """Return the virtual time of an active member."""
        return self._times[member]

    def enter(self, member: str) -> None:
        """Count one more turn of that member."""
        if member not in self._active:
            self._times[member] = max(self._times.get(member, 0.0), self._now)
        self._active[member] = self._active.get(member, 0) + 1

    def leave(self, member: str) -> None:
        """Count one turn less. A member that has none and owes nothing is forgotten."""
        self._active[member] -= 1
        if not self._active[member]:
            del self._active[member]
            self._times = {
                name: time
                for name, time in self._times.items()
                if name in self._active or (self._remembers and self._active and time > self._now)
            }

    def serve(self, member: str) -> None:
        """Move the present virtual time to that of a member which gets a slot."""
        self._now = max(self._now, self._times[member])

    def charge(self, member: str, work: float) -> None:
        """Move an active member's time on by work over weight; a negative amount gives back."""
        self._times[member] += work


class _Tenant(Generic[W]):
    """Hold the lanes of one tenant, one per person, first come first served in each."""

    def __init__(self) -> None:
        self.rota = Rota(remembers=False)
        self.lanes: dict[str, deque[W]] = {}

    def order(self, step: float) -> Iterator[W]:
        return _merge((self.rota.time(person), step, iter(lane)) for person, lane in self.lanes.items())


class FairQueue(Generic[W]):
    """Hold those who wait, and what the work of those cost who were let through.

    `push`, then `remove`, or `pop` and in the end `settle`: each turn takes one of the two ways.
    """

    def __init__(self) -> None:
        self._rota = Rota(remembers=True)
        self._tenants: dict[str, _Tenant[W]] = {}
        self._charged: dict[int, float] = {}
        self._step = 1.0
        self._length = 0

    @property
    def tenants(self) -> int:
        """Return how many tenants wait."""
        return sum(bool(tenant.lanes) for tenant in self._tenants.values())

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[W]:
        """Go through all in the order in which they get a slot, if nobody else comes and each takes as expected."""
        lanes = []
        for name, tenant in self._tenants.items():
            if tenant.lanes:
                weight = next(iter(tenant.lanes.values()))[0].claim.weight
                lanes.append((self._rota.time(name), self._step / weight, tenant.order(self._step)))
        return _merge(lanes)

    def push(self, waiting: W) -> None:
        """Put one at the end of its person's lane."""
        self._rota.enter(waiting.claim.tenant)
        tenant = self._tenants.setdefault(waiting.claim.tenant, _Tenant())
        tenant.rota.enter(waiting.claim.person)
        tenant.lanes.setdefault(waiting.claim.person, deque()).append(waiting)
        self._length += 1

    def pop(
        self, may: Callable[[str, str], bool] = lambda _tenant, _person: True, *, work: float = 1.0
    ) -> W | None:
        """Take the next one whose tenant and person may have a slot now, and charge the work expected of it.

        Return None if nobody waits who may.
        """
        self._step = work
        for name, tenant in sorted(self._tenants.items(), key=lambda item: self._rota.time(item[0])):
            for person in sorted(tenant.lanes, key=tenant.rota.time):
                if may(name, person):
                    return self._let_through(tenant.lanes[person][0], work)
        return None

    def remove(self, waiting: W) -> None:
        """Take one out who gives up. Raise KeyError or ValueError if it does not wait."""
        self._take_out(waiting)
        self._leave(waiting)

    def settle(self, waiting: W, *, work: float) -> None:
        """Charge one that was let through with the work that it really was, now that it is over."""
        self._charge(waiting, work - self._charged.pop(id(waiting)))
        self._leave(waiting)

    def _let_through(self, first: W, work: float) -> W:
        self._take_out(first)
        self._rota.serve(first.claim.tenant)
        self._tenants[first.claim.tenant].rota.serve(first.claim.person)
        self._charged[id(first)] = work
        self._charge(first, work)
        return first

    def _charge(self, waiting: W, work: float) -> None:
        self._rota.charge(waiting.claim.tenant, work / waiting.claim.weight)
        self._tenants[waiting.claim.tenant].rota.charge(waiting.claim.person, work)

    def _take_out(self, waiting: W) -> None:
        lanes = self._tenants[waiting.claim.tenant].lanes
        lanes[waiting.claim.person].remove(waiting)
        if not lanes[waiting.claim.person]:
            del lanes[waiting.claim.person]
        self._length -= 1

    def _leave(self, waiting: W) -> None:
        tenant = self._tenants[waiting.claim.tenant]
        tenant.rota.leave(waiting.claim.person)
        self._rota.leave(waiting.claim.tenant)
        if not tenant.rota.is_busy:
            del self._tenants[waiting.claim.tenant]


def _merge(lanes: Iterable[tuple[float, float, Iterator[W]]]) -> Iterator[W]:
    """Merge lanes of (virtual time, step of one turn, turns): always from the one whose time is least."""
    heap = [(time, number, step, lane) for number, (time, step, lane) in enumerate(lanes)]
    heapq.heapify(heap)
    while heap:
        time, number, step, lane = heap[0]
        try:
            first = next(lane)
        except StopIteration:
            heapq.heappop(heap)
        else:
            heapq.heapreplace(heap, (time + step, number, step, lane))
            yield first
