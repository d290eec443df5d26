from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from inference.pool import InferencePool
from inference.queueing import FairQueue, Pace
from tests.inference.support import ask, open_pool, read, scripted, until


@dataclass(frozen=True)
class Visitor:
    tenant: str
    number: int


def filled(text: str) -> FairQueue[Visitor]:
    queue: FairQueue[Visitor] = FairQueue()
    for number, tenant in enumerate(text):
        queue.push(Visitor(tenant, number))
    return queue


def drained(queue: FairQueue[Visitor]) -> str:
    return "".join(
        f"{visitor.tenant}{visitor.number} " for visitor in (queue.pop() for _ in range(len(queue)))
    )


def test_tenants_take_turns_and_inside_a_tenant_who_came_first_goes_first() -> None:
    assert drained(filled("aaabca")) == "a0 b3 c4 a1 a2 a5 "


def test_the_announced_order_is_the_order_in_which_places_are_given() -> None:
    queue = filled("aaabbaccad")
    announced = "".join(f"{visitor.tenant}{visitor.number} " for visitor in queue)
    assert announced == drained(queue)


def test_a_tenant_that_has_just_been_served_goes_to_the_end() -> None:
    queue = filled("aab")
    assert queue.pop().tenant == "a"
    queue.push(Visitor("c", 9))
    assert drained(queue) == "b2 a1 c9 "


def test_who_gives_up_leaves_no_gap() -> None:
    queue = filled("aab")
    queue.remove(Visitor("b", 2))
    assert (len(queue), drained(queue)) == (2, "a0 a1 ")


def test_an_empty_queue_gives_nobody() -> None:
    with pytest.raises(KeyError):
        filled("").pop()


def test_the_estimate_follows_slots_and_recent_turns() -> None:
    pace = Pace(guess_s=10)
    assert pace.waits_ms(running_s=[4.0, 9.5], slots=2, waiting=3) == [1000, 6000, 11000]
    for _ in range(50):
        pace.note(2.0)
    assert pace.mean_s == pytest.approx(2.0, abs=0.01)


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
