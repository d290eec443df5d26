from __future__ import annotations

import asyncio
import contextlib

from inference.engine import Finished, Piece, Queued, Started
from tests.inference.support import answer, ask, end_of, open_pool, read, scripted, text_of, until

# What is stopped here would go on for 40 s: a slot that is free within 15 s was freed by the stop, on any machine.
SLOWLY_MS = 100
SOON_S = 15


async def test_stop_before_the_generation_begins_gives_nothing_but_the_end() -> None:
    async with open_pool(scripted()) as pool:
        with pool.admit(tenant="north", person="ann") as ticket:
            ticket.stop()
            events = await read(pool, ticket, ask("Hello 300"))
        assert end_of(events).reason == "stopped"
        assert text_of(events) == ""
        await until(lambda: pool.running == 0)


async def test_stop_in_the_queue_takes_the_turn_out_of_it() -> None:
    async with open_pool(scripted(slots=1, scripted_ms=5)) as pool:
        long = asyncio.create_task(answer(pool, ask("Hello 50"), person="ann"))
        await until(lambda: pool.running == 1)
        with pool.admit(tenant="north", person="bob") as ticket:
            events = []
            async for event in pool.generate(ticket, ask("Hello")):
                events.append(event)
                ticket.stop()
        assert [type(event) for event in events] == [Queued, Finished]
        assert end_of(events).reason == "stopped"
        assert pool.queued == 0
        assert end_of(await long).reason == "complete"


async def test_stop_before_the_first_token_frees_the_slot() -> None:
    async with open_pool(scripted(slots=1, scripted_ms=10_000)) as pool:
        with pool.admit(tenant="north", person="ann") as ticket:
            events = []
            async for event in pool.generate(ticket, ask("Hello 3")):
                events.append(event)
                ticket.stop()
        assert [type(event) for event in events] == [Started, Finished]
        assert end_of(events).reason == "stopped"
        await until(lambda: pool.running == 0, within_s=SOON_S)


async def test_stop_while_it_speaks_ends_at_once_and_nothing_is_said_after_it() -> None:
    async with open_pool(scripted(slots=1, scripted_ms=SLOWLY_MS)) as pool:
        with pool.admit(tenant="north", person="ann") as ticket:
            after_stop: list[object] = []
            stopped = False
            async for event in pool.generate(ticket, ask("Hello 400")):
                if stopped:
                    after_stop.append(event)
                elif isinstance(event, Piece) and "word5" in event.text:
                    ticket.stop()
                    ticket.stop()
                    stopped = True
        assert [type(event) for event in after_stop] == [Finished]
        last = after_stop[0]
        assert isinstance(last, Finished)
        assert last.reason == "stopped"
        assert 7 <= last.usage.completion_tokens < 200
        await until(lambda: pool.running == 0, within_s=SOON_S)


async def test_stop_after_the_end_does_nothing() -> None:
    async with open_pool(scripted()) as pool:
        with pool.admit(tenant="north", person="ann") as ticket:
            assert end_of(await read(pool, ticket, ask("Hello 1"))).reason == "complete"
            ticket.stop()
        assert end_of(await answer(pool, ask("Hello 1"))).reason == "complete"


async def test_a_consumer_that_closes_its_stream_frees_the_slot() -> None:
    async with open_pool(scripted(slots=1, scripted_ms=SLOWLY_MS)) as pool:
        with pool.admit(tenant="north", person="ann") as ticket:
            async with contextlib.aclosing(pool.generate(ticket, ask("Hello 400"))) as events:
                async for event in events:
                    if isinstance(event, Piece):
                        break
            await until(lambda: pool.running == 0, within_s=SOON_S)


async def test_leaving_the_block_frees_the_slot_even_if_the_stream_stays_open() -> None:
    async with open_pool(scripted(slots=1, scripted_ms=SLOWLY_MS)) as pool:
        with pool.admit(tenant="north", person="ann") as ticket:
            events = pool.generate(ticket, ask("Hello 400"))
            assert isinstance(await anext(events), Started)
        await until(lambda: pool.running == 0, within_s=SOON_S)
        assert isinstance(await anext(events), Finished)


async def test_a_cancelled_task_frees_its_slot_and_its_place() -> None:
    async with open_pool(scripted(slots=1, scripted_ms=10)) as pool:
        running = asyncio.create_task(answer(pool, ask("Hello 400"), person="ann"))
        await until(lambda: pool.running == 1)
        waiting = asyncio.create_task(answer(pool, ask("Hello 400"), person="bob"))
        await until(lambda: pool.queued == 1)
        for task in (waiting, running):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        assert pool.queued == 0
        await until(lambda: pool.running == 0, within_s=SOON_S)
        for person in ("ann", "bob"):
            assert text_of(await answer(pool, ask("Hello 1"), person=person)) == "Hello 1 word1"


async def test_a_slot_whose_turn_was_stopped_goes_to_the_next_who_waits() -> None:
    async with open_pool(scripted(slots=1, scripted_ms=10)) as pool:
        with pool.admit(tenant="north", person="ann") as ticket:
            long = asyncio.create_task(read(pool, ticket, ask("Hello 400")))
            await until(lambda: pool.running == 1)
            next_one = asyncio.create_task(answer(pool, ask("Hello 1"), person="bob"))
            await until(lambda: pool.queued == 1)
            ticket.stop()
            assert end_of(await long).reason == "stopped"
        assert text_of(await next_one) == "Hello 1 word1"
