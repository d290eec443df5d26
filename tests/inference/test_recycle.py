from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from inference import memory, standby
from inference.engine import Finished, ModelInfo, Piece, Sampling
from inference.errors import EngineFailed, EngineUnavailable
from inference.pool import AdmissionLimits, InferencePool, PoolConfig, Ticket
from tests.inference.support import (
    answer,
    ask,
    end_of,
    is_alive,
    open_pool,
    scripted,
    text_of,
    until,
    wait_for_spare,
    worker_of,
    workers_of,
)

PATIENCE_S = 20


@pytest.fixture
def _no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda: 0)


async def begin(pool: InferencePool, words: int, person: str = "ann") -> asyncio.Task[str]:
    """Start an answer of so many words and return when it speaks; the task gives its text."""
    speaks = asyncio.Event()

    async def follow() -> str:
        said = []
        with pool.admit(tenant="north", person=person) as ticket:
            async for event in pool.generate(ticket, ask(f"Hello {words}")):
                if isinstance(event, Piece):
                    speaks.set()
                    said.append(event)
        return text_of(said)

    task = asyncio.create_task(follow())
    await asyncio.wait_for(speaks.wait(), PATIENCE_S)
    return task


def expected(words: int) -> str:
    return " ".join(["Hello", str(words), *(f"word{number}" for number in range(1, words + 1))])


async def chatter(pool: InferencePool, person: str, turns: int) -> None:
    """Take so many turns one after the other; each must be right."""
    for number in range(turns):
        words = 5 + number
        events = await answer(pool, ask(f"Hello {words}"), tenant=f"t{ord(person) % 3}", person=person)
        assert (end_of(events).reason, text_of(events)) == ("complete", expected(words))


async def chatter_while_recycling(pool: InferencePool) -> None:
    """Let 8 people take 32 turns while the worker is recycled under them."""
    talk = asyncio.gather(*(chatter(pool, person, 4) for person in "abcdefgh"))
    await until(lambda: pool.running > 0)
    first = worker_of(pool)
    await asyncio.wait_for(pool.recycle(), PATIENCE_S)
    assert worker_of(pool) != first
    assert not is_alive(first)
    await asyncio.wait_for(talk, PATIENCE_S)


@pytest.mark.parametrize("standby", ["off", "on"])
async def test_a_recycle_under_load_refuses_and_loses_no_turn(standby: str) -> None:
    async with open_pool(
        scripted(slots=2, scripted_ms=5, standby="on" if standby == "on" else "off")
    ) as pool:
        await chatter_while_recycling(pool)


@pytest.mark.model
async def test_a_real_worker_is_recycled_while_it_answers(starter_model: Path) -> None:
    model = ModelInfo("starter", "", 512)
    config = PoolConfig(
        starter_model, model, "llamacpp", slots=2, limits=AdmissionLimits(rate_per_minute=1000)
    )
    prompt = ask("Count from one to twenty.", Sampling(max_new_tokens=48, temperature=0))
    async with open_pool(config) as pool:
        right = text_of(await answer(pool, prompt))
        first = worker_of(pool)
        turns = [asyncio.create_task(answer(pool, prompt, person=person)) for person in "abc"]
        await until(lambda: pool.running == 2)
        await pool.recycle()
        assert worker_of(pool) != first
        for turn in turns:
            # Batched with another one a float may fall otherwise late in an answer; a wrong or cut one shows at once.
            events = await turn
            assert text_of(events)[:20] == right[:20]
            assert end_of(events).usage.completion_tokens > 8


@pytest.mark.usefixtures("_no_room")
async def test_nor_does_one_where_memory_allows_no_second_worker() -> None:
    async with open_pool(scripted(slots=2, scripted_ms=5)) as pool:
        await chatter_while_recycling(pool)


@pytest.mark.usefixtures("_no_room")
async def test_without_room_there_are_never_two_workers() -> None:
    async with open_pool(scripted(slots=1, scripted_ms=5)) as pool:
        old = await begin(pool, 100)
        recycling = asyncio.create_task(pool.recycle())
        waiting = asyncio.create_task(answer(pool, ask("Hello 1"), person="bob"))
        while not waiting.done():
            assert len(workers_of(pool)) <= 1
            await asyncio.sleep(0.005)
        assert await old == expected(100)
        assert text_of(waiting.result()) == expected(1)
        await recycling


@pytest.mark.usefixtures("_no_room")
async def test_nobody_is_sent_away_because_a_recycle_makes_them_wait() -> None:
    limits = AdmissionLimits(rate_per_minute=1000, queue_timeout_s=0.3)
    async with open_pool(scripted(slots=1, scripted_ms=10, limits=limits)) as pool:
        old = await begin(pool, 100)
        recycling = asyncio.create_task(pool.recycle())
        await until(lambda: pool.state == "restarting")
        assert text_of(await answer(pool, ask("Hello 1"), person="bob")) == expected(1)
        assert await old == expected(100)
        await recycling


async def test_new_turns_go_to_the_fresh_worker_while_the_old_one_finishes_its_own() -> None:
    async with open_pool(scripted(slots=1, scripted_ms=10)) as pool:
        first = worker_of(pool)
        old = await begin(pool, 300)
        recycling = asyncio.create_task(pool.recycle())
        await until(lambda: pool.state == "ready" and worker_of(pool) != first)
        assert text_of(await answer(pool, ask("Hello 1"), person="bob")) == expected(1)
        assert is_alive(first)
        assert not old.done()
        assert not recycling.done()
        assert await old == expected(300)
        await recycling
        assert not is_alive(first)


async def test_a_second_recycle_waits_for_the_first_and_leaves_one_worker() -> None:
    async with open_pool(scripted()) as pool:
        first = worker_of(pool)
        await asyncio.gather(pool.recycle(), pool.recycle())
        assert worker_of(pool) != first
        assert len(workers_of(pool)) == 1


async def test_pools_that_share_a_turnstile_are_recycled_one_after_the_other() -> None:
    turnstile = asyncio.Lock()
    pools = [InferencePool(scripted(slots=1, scripted_ms=10), turnstile=turnstile) for _ in range(2)]
    for pool in pools:
        await pool.start()
        await pool.wait_ready(PATIENCE_S)
    try:
        old = await begin(pools[0], 60)
        before = worker_of(pools[1])
        recycling = [asyncio.create_task(pool.recycle()) for pool in pools]
        assert await old == expected(60)
        assert workers_of(pools[1]) == [before]
        await asyncio.gather(*recycling)
        assert worker_of(pools[1]) != before
    finally:
        for pool in pools:
            await pool.close()


async def test_an_old_worker_that_dies_while_it_drains_fails_its_turns_and_no_others() -> None:
    async with open_pool(scripted(slots=1, scripted_ms=10)) as pool:
        first = worker_of(pool)
        old = await begin(pool, 300)
        recycling = asyncio.create_task(pool.recycle())
        await until(lambda: pool.state == "ready" and worker_of(pool) != first)
        new = await begin(pool, 20, person="bob")
        os.kill(first, signal.SIGKILL)
        with pytest.raises(EngineFailed):
            await old
        assert await new == expected(20)
        await recycling


async def test_a_fresh_worker_that_does_not_come_up_leaves_the_old_one_at_work() -> None:
    async with open_pool(scripted(slots=1, scripted_ms=10)) as pool:
        first = worker_of(pool)
        old = await begin(pool, 60)
        recycling = asyncio.create_task(pool.recycle())
        await until(lambda: len(workers_of(pool)) == 2)
        os.kill(workers_of(pool)[1], signal.SIGKILL)
        with pytest.raises(EngineUnavailable):
            await recycling
        assert pool.last_error == "the worker ended unexpectedly while it loaded the model"
        assert await old == expected(60)
        assert workers_of(pool) == [first]


@pytest.mark.usefixtures("_no_room")
async def test_stop_works_while_the_worker_drains_and_while_turns_wait_for_it() -> None:
    async with open_pool(scripted(slots=1, scripted_ms=20)) as pool:
        with (
            pool.admit(tenant="north", person="ann") as running,
            pool.admit(tenant="north", person="bob") as waiting,
        ):
            tasks = [
                asyncio.create_task(_collect(pool, ticket, "Hello 900")) for ticket in (running, waiting)
            ]
            await until(lambda: pool.running == 1 and pool.queued == 1)
            recycling = asyncio.create_task(pool.recycle())
            await until(lambda: pool.state == "restarting")
            waiting.stop()
            assert (await tasks[1])[-1] == "stopped"
            running.stop()
            assert (await tasks[0])[-1] == "stopped"
        await asyncio.wait_for(recycling, PATIENCE_S)
        assert text_of(await answer(pool, ask("Hello 1"))) == expected(1)


async def _collect(pool: InferencePool, ticket: Ticket, text: str) -> list[str]:
    return [event.reason async for event in pool.generate(ticket, ask(text)) if isinstance(event, Finished)]


async def test_closing_while_a_worker_drains_leaves_no_process() -> None:
    async with open_pool(scripted(slots=1, scripted_ms=10)) as pool:
        old = await begin(pool, 500)
        recycling = asyncio.create_task(pool.recycle())
        first = worker_of(pool)
        await until(lambda: pool.state == "ready" and worker_of(pool) != first)
        pids = workers_of(pool)
        assert len(pids) == 2
        await pool.close()
        for task in (old, recycling):
            with pytest.raises((EngineUnavailable, asyncio.CancelledError)):
                await task
        assert not any(map(is_alive, pids))


# --- the one that stands by -------------------------------------------------------------------------------------


@pytest.fixture
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standby, "SPARE_DELAY_S", 0.05)


@pytest.mark.usefixtures("_at_once")
async def test_who_stands_by_takes_over_at_once_and_gets_a_successor() -> None:
    async with open_pool(scripted(standby="on")) as pool:
        spare = await wait_for_spare(pool)
        os.kill(worker_of(pool), signal.SIGKILL)
        await until(lambda: worker_of(pool) == spare)
        assert pool.state == "ready"
        assert text_of(await answer(pool, ask("Hello 1"))) == expected(1)
        assert await wait_for_spare(pool) != spare


@pytest.mark.usefixtures("_at_once")
async def test_who_waits_when_the_active_worker_dies_is_served_by_the_one_that_stands_by() -> None:
    async with open_pool(scripted(standby="on", slots=1, scripted_ms=10)) as pool:
        spare = await wait_for_spare(pool)
        old = await begin(pool, 300)
        waiting = asyncio.create_task(begin(pool, 5, person="bob"))
        await until(lambda: pool.queued == 1)
        os.kill(worker_of(pool), signal.SIGKILL)
        with pytest.raises(EngineFailed):
            await old
        new = await waiting
        assert worker_of(pool) == spare
        assert await new == expected(5)


@pytest.mark.usefixtures("_at_once")
async def test_one_that_stands_by_and_dies_is_replaced_and_nobody_notices() -> None:
    async with open_pool(scripted(standby="on", scripted_ms=10)) as pool:
        spare = await wait_for_spare(pool)
        active = worker_of(pool)
        turn = await begin(pool, 60)
        os.kill(spare, signal.SIGKILL)
        await until(lambda: not is_alive(spare))
        assert await turn == expected(60)
        assert await wait_for_spare(pool) != spare
        assert worker_of(pool) == active


@pytest.mark.usefixtures("_at_once")
async def test_who_stands_by_costs_no_processor_time() -> None:
    async with open_pool(scripted(standby="on")) as pool:
        spare = await wait_for_spare(pool)
        await asyncio.sleep(0.3)
        before = _ticks(spare)
        await asyncio.sleep(1)
        assert _ticks(spare) - before <= 1


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


@pytest.mark.usefixtures("_at_once")
async def test_auto_keeps_one_by_only_while_memory_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    free = [0]
    monkeypatch.setattr(memory, "available_bytes", lambda: free[0])
    async with open_pool(scripted(standby="auto")) as pool:
        worker = pool._scheduler.worker
        await asyncio.sleep(0.3)
        assert len(workers_of(pool)) == 1
        free[0] = 8 << 30
        worker.look_after()
        await wait_for_spare(pool)
        free[0] = 1 << 20
        worker.look_after()
        await until(lambda: len(workers_of(pool)) == 1)
