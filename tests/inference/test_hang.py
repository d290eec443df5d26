"""One answer may hang while others speak; and what broke a worker is not tried on the next one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal

import pytest

from inference import scheduler
from inference.child import Child
from inference.engine import Finished, Piece
from inference.errors import EngineFailed
from inference.pool import InferencePool
from inference.wire import Run, ToWorker
from tests.inference.support import (
    answer,
    ask,
    end_of,
    is_alive,
    open_pool,
    read,
    scripted,
    speak_for,
    text_of,
    until,
    worker_of,
)

HANG_S = 1.0
COUNTS = b'{"prompt_tokens":1,"completion_tokens":9,"cached_tokens":0,"trimmed_messages":0}'
ENDED = b'["ended",2,"complete",' + COUNTS + b",9.0]\n"


async def begin(pool: InferencePool, person: str) -> asyncio.Task[str]:
    """Start a long answer and return when it speaks; the task gives its text."""
    speaks = asyncio.Event()

    async def follow() -> str:
        said = []
        with pool.admit(tenant="north", person=person) as ticket:
            async for event in pool.generate(ticket, ask("Hello 900")):
                if isinstance(event, Piece):
                    speaks.set()
                    said.append(event)
        return text_of(said)

    task = asyncio.create_task(follow())
    await asyncio.wait_for(speaks.wait(), 20)
    return task


@contextlib.asynccontextmanager
async def speaking(pid: int, line: bytes):  # type: ignore[no-untyped-def]
    """Let a worker say that line ten times a second."""

    async def repeat() -> None:
        while True:
            await speak_for(pid, line)
            await asyncio.sleep(0.1)

    voice = asyncio.create_task(repeat())
    try:
        yield
    finally:
        voice.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await voice


async def test_an_answer_that_stands_still_fails_alone_and_its_worker_is_replaced_when_the_others_are_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scheduler, "STUCK_GRACE_S", 0.2)
    async with open_pool(scripted(slots=2, scripted_ms=20, hang_s=HANG_S)) as pool:
        first = worker_of(pool)
        stuck, fine = await begin(pool, "ann"), await begin(pool, "bob")
        os.kill(first, signal.SIGSTOP)
        async with speaking(first, b'["text",2,"!"]\n'):
            with pytest.raises(EngineFailed):
                await asyncio.wait_for(stuck, 20)
            await until(lambda: pool.state == "ready" and worker_of(pool) != first)
            assert text_of(await answer(pool, ask("Hello 1"), person="cem")) == "Hello 1 word1"
            assert not fine.done()
            assert is_alive(first)
        await speak_for(first, ENDED)
        assert (await fine).endswith("!")
        await until(lambda: pool.last_error == "the worker did not end a turn")
        assert not is_alive(first)
        assert pool.status().last_recycle == "stuck"


async def test_who_waits_inside_the_engine_behind_a_long_prompt_does_not_hang() -> None:
    async with open_pool(scripted(slots=2, scripted_ms=10_000, hang_s=HANG_S)) as pool:
        first = worker_of(pool)
        turns = [asyncio.create_task(answer(pool, ask("Hello 1"), person=person)) for person in "ab"]
        await until(lambda: pool.running == 2)
        await asyncio.sleep(0.3)  # Both have reported their first progress.
        pool._scheduler.running[2].has_signs = False
        os.kill(first, signal.SIGSTOP)
        async with speaking(first, b'["progress",1,16,4000]\n'):
            await asyncio.sleep(2.5 * HANG_S)
            assert not any(turn.done() for turn in turns)
        for turn in turns:
            with pytest.raises(EngineFailed):
                await asyncio.wait_for(turn, 20)
        assert pool.last_error == "the worker did not answer any more"


async def test_what_ran_on_a_lost_worker_is_never_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    send = Child.send

    def note(child: Child, message: ToWorker) -> None:
        if isinstance(message, Run):
            ran.append(message.prompt.messages[-1].content)
        send(child, message)

    monkeypatch.setattr(Child, "send", note)
    async with open_pool(scripted(slots=1, scripted_ms=10)) as pool:
        poison = asyncio.create_task(answer(pool, ask("poison 900"), person="ann"))
        await until(lambda: pool.running == 1)
        others = [
            asyncio.create_task(answer(pool, ask(f"{person} 1"), person=person)) for person in ("bob", "cem")
        ]
        await until(lambda: pool.queued == 2)
        os.kill(worker_of(pool), signal.SIGKILL)
        with pytest.raises(EngineFailed):
            await poison
        for task in others:
            assert end_of(await task).reason == "complete"
        assert sorted(ran) == ["bob 1", "cem 1", "poison 900"]


async def test_stop_works_while_a_worker_is_being_started_again() -> None:
    async with open_pool(scripted(slots=1, scripted_ms=10)) as pool:
        running = await begin(pool, "ann")
        with pool.admit(tenant="north", person="bob") as ticket:
            waiting = asyncio.create_task(read(pool, ticket, ask("Hello 900")))
            await until(lambda: pool.queued == 1)
            os.kill(worker_of(pool), signal.SIGKILL)
            await until(lambda: pool.state == "restarting")
            ticket.stop()
            assert pool.state == "restarting"
            assert end_of(await waiting).reason == "stopped"
        with pytest.raises(EngineFailed):
            await running


async def test_stop_works_while_the_first_worker_loads() -> None:
    pool = InferencePool(scripted())
    await pool.start()
    try:
        with pool.admit(tenant="north", person="ann") as ticket:
            events = []
            async for event in pool.generate(ticket, ask("Hello 900")):
                events.append(event)
                ticket.stop()
        assert pool.state == "starting"
        assert isinstance(events[-1], Finished)
        assert events[-1].reason == "stopped"
    finally:
        await pool.close()
