"""Fair order and slots, as pure code: who is next, and that nobody is left out."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import pytest

from inference.pool import InferencePool
from inference.queueing import Claim, FairQueue
from inference.sharing import WINDOW_S, SlotRule, SlotShares
from tests.inference.support import ask, open_pool, read, scripted, until


@dataclass(eq=False)
class Visitor:
    claim: Claim
    number: int = 0
    work: float = 1.0
    waited: float = field(default=-1.0)

    def __str__(self) -> str:
        return f"{self.claim.person or self.claim.tenant}{self.number}"


def filled(text: str, *, people: bool = False) -> FairQueue[Visitor]:
    """Queue a visitor for each letter: of that tenant, or that person of one tenant."""
    queue: FairQueue[Visitor] = FairQueue()
    for number, name in enumerate(text):
        queue.push(Visitor(Claim("north", name) if people else Claim(name, ""), number))
    return queue


def drained(queue: FairQueue[Visitor]) -> str:
    order = []
    while (visitor := queue.pop()) is not None:
        order.append(str(visitor))
    return " ".join(order)


@pytest.mark.parametrize("people", [False, True])
def test_tenants_and_their_people_take_turns_and_each_keeps_its_own_order(people: bool) -> None:
    assert drained(filled("aaabca", people=people)) == "a0 b3 c4 a1 a2 a5"


def test_the_announced_order_is_the_order_in_which_places_are_given() -> None:
    queue = filled("aaabbaccad")
    announced = " ".join(map(str, queue))
    assert announced == drained(queue)


def test_who_comes_anew_goes_before_those_who_were_served() -> None:
    queue = filled("aab")
    assert str(queue.pop()) == "a0"
    queue.push(Visitor(Claim("c", ""), 9))
    assert drained(queue) == "b2 c9 a1"


def test_a_pause_saves_nothing_up() -> None:
    queue = filled("a" * 8 + "b")
    assert [str(queue.pop()) for _ in range(5)] == ["a0", "b8", "a1", "a2", "a3"]
    for number in range(4):
        queue.push(Visitor(Claim("c", ""), number))
    assert drained(queue) == "c0 a4 c1 a5 c2 a6 c3 a7"


def test_what_was_used_beyond_the_expected_is_owed() -> None:
    queue = filled("abab")
    first = queue.pop(work=1)
    assert first is not None
    queue.settle(first, work=9)
    assert drained(queue) == "b1 b3 a2"


def test_what_was_charged_too_much_is_given_back() -> None:
    queue = filled("abab")
    first = queue.pop(work=5)
    assert first is not None
    queue.settle(first, work=0.5)
    second = queue.pop(work=5)
    assert str(second) == "b1"
    assert str(queue.pop(work=5)) == "a2"


def test_who_gives_up_leaves_no_gap() -> None:
    queue = filled("aab")
    visitor = list(queue)[1]
    queue.remove(visitor)
    assert (len(queue), drained(queue)) == (2, "a0 a1")


def test_who_may_not_have_a_slot_is_passed_over() -> None:
    queue = filled("aab")
    assert str(queue.pop(lambda tenant, _person: tenant != "a")) == "b2"
    assert queue.pop(lambda *_: False) is None
    assert len(queue) == 2


def test_an_empty_queue_gives_nobody_and_remembers_nobody() -> None:
    queue = filled("ab")
    for visitor in [queue.pop(), queue.pop()]:
        assert visitor is not None
        queue.settle(visitor, work=3)
    assert queue.pop() is None
    assert (queue._tenants, queue._rota._times, queue._charged) == ({}, {}, {})


@pytest.mark.parametrize("weight", [0.0, -1.0, 1001.0, float("nan")])
def test_a_weight_that_is_no_share_is_refused(weight: float) -> None:
    with pytest.raises(ValueError, match="weight"):
        Claim("north", "ann", weight)


class Clock:
    """Serve a queue on slots with a clock of its own: turns come at set times and take as long as they say."""

    def __init__(self, slots: int, *, others_may_come: bool = True) -> None:
        self.now = 0.0
        self.slots = slots
        self.queue: FairQueue[Visitor] = FairQueue()
        self.shares = SlotShares()
        self.shares.others_may_come = others_may_come
        self.running: list[tuple[float, int, Visitor]] = []
        self.work: dict[str, float] = defaultdict(float)
        self._coming: list[tuple[float, int, Visitor]] = []
        self.served: list[Visitor] = []

    def expect(self, at: float, visitor: Visitor) -> None:
        self._coming.append((at, len(self._coming), visitor))

    def run(self, until: float) -> None:
        self._coming.sort(key=lambda item: item[:2], reverse=True)
        while events := [when for when, *_ in (*self._coming[-1:], *self.running)]:
            self.now = min(events)
            if self.now > until:
                return
            self._end_turns()
            while self._coming and self._coming[-1][0] <= self.now:
                at, _, visitor = self._coming.pop()
                visitor.waited = -at
                self.queue.push(visitor)
                self.shares.arrive(visitor.claim, now=self.now)
            self._start_turns()

    def _may(self, tenant: str, _person: str) -> bool:
        held = Counter(visitor.claim.tenant for _, _, visitor in self.running)
        rule = self.shares.rule(self.slots, now=self.now)
        return rule.may_take(tenant, held, alone=self.queue.tenants < 2)

    def _end_turns(self) -> None:
        over = [item for item in self.running if item[0] <= self.now]
        self.running = [item for item in self.running if item[0] > self.now]
        for _, _, visitor in over:
            self.queue.settle(visitor, work=visitor.work)
            self.shares.leave(visitor.claim, now=self.now)
            self.work[visitor.claim.tenant] += visitor.work

    def _start_turns(self) -> None:
        while len(self.running) < self.slots:
            visitor = self.queue.pop(self._may, work=5)
            if visitor is None:
                return
            visitor.waited += self.now
            self.served.append(visitor)
            self.running.append((self.now + visitor.work, len(self.served), visitor))


def flood(
    clock: Clock, tenant: str, *, turns: int, chance: random.Random, longest: float = 20, weight: float = 1
) -> None:
    for number in range(turns):
        claim = Claim(tenant, f"{tenant}{number % 40}", weight)
        clock.expect(0.0, Visitor(claim, number, work=chance.uniform(1, longest)))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("weights", [(1, 1), (1, 3), (2, 1, 1)])
def test_tenants_that_wait_all_the_time_get_work_by_their_weight(weights: tuple[int, ...], seed: int) -> None:
    chance, slots = random.Random(seed), 4
    clock = Clock(slots)
    for number, weight in enumerate(weights):
        # One tenant's answers are four times as long as another's: it must not get more for that.
        flood(clock, f"t{number}", turns=600, chance=chance, longest=5 * (1 + 3 * number), weight=weight)
    clock.run(until=600)
    shares = [clock.work[f"t{number}"] / weight for number, weight in enumerate(weights)]
    # The bound that the queue promises: what is on slots at one time, of either.
    assert max(shares) - min(shares) <= slots * 5 * (1 + 3 * len(weights))
    assert sum(clock.work.values()) > 0.9 * slots * 600


@pytest.mark.parametrize("seed", range(5))
def test_nobody_starves_whatever_comes(seed: int) -> None:
    chance = random.Random(seed)
    clock = Clock(chance.choice([1, 2, 4]))
    visitors = []
    for number in range(400):
        tenant = chance.choice("aaaaaabbc")
        claim = Claim(tenant, f"{tenant}{chance.randrange(6)}", {"a": 1.0, "b": 0.1, "c": 9.0}[tenant])
        visitors.append(Visitor(claim, number, work=chance.expovariate(0.2) + 0.1))
        clock.expect(chance.uniform(0, 300), visitors[-1])
    clock.run(until=1e9)
    assert sorted(visitor.number for visitor in clock.served) == list(range(400))
    assert (len(clock.queue), clock.running, clock.queue._tenants) == (0, [], {})


def p95_wait_of_south(*, people: int, flooded: bool, keep: bool = True) -> float:
    """Return the 95th percentile of the wait of a tenant whose people ask again after a pause."""
    chance = random.Random(1)
    clock = Clock(4, others_may_come=keep)
    if flooded:
        flood(clock, "north", turns=3000, chance=chance)
    mine = []
    for person in range(people):
        at = chance.uniform(5, 30)
        while at < 2000:
            mine.append(Visitor(Claim("south", f"s{person}"), work=chance.uniform(2, 8)))
            clock.expect(at, mine[-1])
            at += chance.uniform(15, 60)
    clock.run(until=2100)
    late = [visitor.waited for visitor in mine if visitor.waited >= 0]
    return sorted(late[2:])[int(0.95 * (len(late) - 2))]


@pytest.mark.parametrize("people", [1, 2])
def test_a_flood_of_one_tenant_does_not_make_another_wait(people: int) -> None:
    assert p95_wait_of_south(people=people, flooded=False) == 0
    assert p95_wait_of_south(people=people, flooded=True) == 0


def test_the_only_tenant_may_hold_every_slot() -> None:
    rule = SlotRule(4, {"a": 1}, others_may_come=False)
    assert rule.may_take("a", {"a": 3}, alone=True)
    assert not rule.may_take("a", {"a": 4}, alone=True)


def test_a_tenant_that_holds_a_slot_leaves_one_to_whoever_comes() -> None:
    rule = SlotRule(4, {"a": 1}, others_may_come=True)
    assert rule.may_take("a", {"a": 2}, alone=True)
    assert not rule.may_take("a", {"a": 3}, alone=True)
    assert rule.may_take("b", {"a": 3}, alone=False)
    assert SlotRule(1, {"a": 1}, others_may_come=True).may_take("a", {}, alone=True)


def test_a_person_leaves_a_slot_to_their_colleagues() -> None:
    rule = SlotRule(2, {"a": 2}, others_may_come=False)
    assert rule.may_take("a", {"a": 1}, alone=True, own=0)
    assert not rule.may_take("a", {"a": 1}, alone=True, own=1)


def test_what_a_tenant_used_lately_is_kept_for_it_for_a_while() -> None:
    shares = SlotShares()
    south = Claim("south", "s")
    for _ in range(3):
        shares.arrive(south, now=0)
    for _ in range(3):
        shares.leave(south, now=5)
    shares.arrive(Claim("north", "n"), now=6)
    assert shares.rule(4, now=10).reserves == {"south": 2, "north": 1}
    assert not shares.rule(4, now=10).may_take("north", {"north": 2}, alone=True)
    assert shares.rule(4, now=7 + WINDOW_S).reserves == {"north": 1}


async def serve(pool: InferencePool, tenant: str, person: str, order: list[str]) -> None:
    with pool.admit(tenant=tenant, person=person) as ticket:
        await read(pool, ticket, ask("Hello 1"))
        order.append(person)


async def test_one_tenants_crowd_does_not_keep_another_tenant_waiting() -> None:
    order: list[str] = []
    async with open_pool(scripted(slots=1, scripted_ms=20)) as pool:
        crowd = [asyncio.create_task(serve(pool, "north", f"n{number}", order)) for number in range(6)]
        await until(lambda: pool.queued == 5)
        await serve(pool, "south", "s0", order)
        await asyncio.gather(*crowd)
    assert order.index("s0") <= 2
    assert [name for name in order if name != "s0"] == [f"n{number}" for number in range(6)]


async def test_a_flood_leaves_a_slot_that_another_tenant_gets_at_once() -> None:
    order: list[str] = []
    async with open_pool(scripted(slots=3, scripted_ms=20)) as pool:
        pool.expect_others(True)
        crowd = [asyncio.create_task(serve(pool, "north", f"n{number}", order)) for number in range(9)]
        await until(lambda: pool.queued == 7)
        with pool.admit(tenant="south", person="s0") as ticket:
            events = await read(pool, ticket, ask("Hello 1"))
        assert [type(event).__name__ for event in events[:2]] == ["Started", "Piece"]
        await asyncio.gather(*crowd)
