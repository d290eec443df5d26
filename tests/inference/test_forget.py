"""What a person erases no worker keeps: not the active one, not one that drains, and not a turn that still runs."""

from __future__ import annotations

import asyncio

import pytest

from inference import standby
from inference.child import Child
from inference.engine import Origin, Piece, Prompt
from inference.pool import InferencePool
from inference.wire import Forget, Run, ToWorker
from tests.inference.support import ask, open_pool, scripted, until, wait_for_spare, worker_of, workers_of

Sent = list[tuple[int, ToWorker]]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """Collect what is sent to the workers, which get it all the same."""
    messages: Sent = []
    send = Child.send

    def note(child: Child, message: ToWorker) -> None:
        messages.append((child.pid or 0, message))
        send(child, message)

    monkeypatch.setattr(Child, "send", note)
    return messages


def forgotten(sent: Sent) -> list[int]:
    """Return the workers that were told to forget, in order."""
    return [pid for pid, message in sent if isinstance(message, Forget)]


def chat(text: str, conversation: str) -> Prompt:
    return Prompt(ask(text).messages, origin=Origin(conversation=conversation))


async def begin(pool: InferencePool, prompt: Prompt, person: str = "ann") -> asyncio.Task[None]:
    speaks = asyncio.Event()

    async def follow() -> None:
        with pool.admit(tenant="north", person=person) as ticket:
            async for event in pool.generate(ticket, prompt):
                if isinstance(event, Piece):
                    speaks.set()

    task = asyncio.create_task(follow())
    await asyncio.wait_for(speaks.wait(), 20)
    return task


async def test_every_worker_is_told(sent: Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standby, "SPARE_DELAY_S", 0.05)
    async with open_pool(scripted(slots=1, scripted_ms=10, standby="on")) as pool:
        await wait_for_spare(pool)
        first = worker_of(pool)
        turn = await begin(pool, chat("Hello 200", "c1"))
        recycling = asyncio.create_task(pool.recycle())
        await until(lambda: worker_of(pool) != first)
        pool.forget(Origin(person="bob"))
        assert sorted(forgotten(sent)) == sorted(workers_of(pool))
        assert first in forgotten(sent)
        await turn
        await recycling


async def test_a_turn_that_runs_is_forgotten_when_it_has_ended_on_the_worker_that_had_it(sent: Sent) -> None:
    async with open_pool(scripted(slots=2, scripted_ms=10)) as pool:
        first = worker_of(pool)
        erased = await begin(pool, chat("Hello 300", "c1"))
        other = await begin(pool, chat("Hello 200", "c2"), person="bob")
        recycling = asyncio.create_task(pool.recycle())
        await until(lambda: worker_of(pool) != first)
        pool.forget(Origin(conversation="c1"))
        at_once = len(forgotten(sent))
        await other
        assert len(forgotten(sent)) == at_once
        await erased
        assert forgotten(sent)[at_once:] == [first]
        await recycling


async def test_a_turn_that_waits_is_forgotten_when_it_has_run(sent: Sent) -> None:
    async with open_pool(scripted(slots=1, scripted_ms=10)) as pool:
        running = await begin(pool, chat("Hello 30", "c1"))
        waiting = asyncio.create_task(begin(pool, chat("Hello 1", "c2"), person="bob"))
        await until(lambda: pool.queued == 1)
        pool.forget(Origin(person="bob"))
        await running
        await (await waiting)
        kinds = [type(message) for _, message in sent if isinstance(message, Run | Forget)]
        assert kinds == [Run, Forget, Run, Forget]


async def test_ids_are_hashed_before_a_worker_sees_them(sent: Sent) -> None:
    async with open_pool(scripted()) as pool:
        await (await begin(pool, chat("Hello 1", "c1")))
        pool.forget(Origin(tenant="north", conversation="c1"))
        (forget,) = [message for _, message in sent if isinstance(message, Forget)]
        (run,) = [message for _, message in sent if isinstance(message, Run)]
        assert forget.origin.tenant == run.prompt.origin.tenant
        assert forget.origin.conversation == run.prompt.origin.conversation
        assert forget.origin.person == ""
        assert not {"north", "c1", "ann"} & set(vars_of(run.prompt.origin))


def vars_of(origin: Origin) -> tuple[str, str, str]:
    return origin.tenant, origin.person, origin.conversation
