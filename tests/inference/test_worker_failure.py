from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from inference import breaker
from inference.engine import ModelInfo, Piece, Sampling
from inference.errors import EngineFailed, EngineUnavailable
from inference.pool import InferencePool, PoolConfig
from inference.wire import MAX_FROM_WORKER
from tests.inference.support import (
    GENEROUS,
    answer,
    ask,
    end_of,
    is_alive,
    open_pool,
    scripted,
    speak_for,
    text_of,
    until,
    worker_of,
)

ROOT = Path(__file__).resolve().parents[2]
# What must come does so within this time even on a busy machine; on an idle one it takes milliseconds.
PATIENCE_S = 15


async def begin(pool: InferencePool, person: str = "ann") -> asyncio.Task[object]:
    """Start a long answer and return when it speaks."""
    speaks = asyncio.Event()

    async def follow() -> None:
        with pool.admit(tenant="north", person=person) as ticket:
            async for event in pool.generate(ticket, ask("Hello 400")):
                if isinstance(event, Piece):
                    speaks.set()

    task: asyncio.Task[object] = asyncio.create_task(follow())
    await asyncio.wait_for(speaks.wait(), PATIENCE_S)
    return task


async def test_a_killed_worker_ends_the_answer_at_once_and_the_next_turn_works(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with open_pool(scripted(scripted_ms=10)) as pool:
        turn = await begin(pool)
        first = worker_of(pool)
        os.kill(first, signal.SIGKILL)
        with pytest.raises(EngineFailed):
            await asyncio.wait_for(turn, PATIENCE_S)
        again = asyncio.wait_for(answer(pool, ask("Hello 1")), PATIENCE_S)
        assert text_of(await again) == "Hello 1 word1"
        assert worker_of(pool) != first
        assert pool.last_error == "the worker ended unexpectedly"
    assert caplog.messages == ["an inference worker was lost: the worker ended unexpectedly"]


async def test_who_waits_when_the_worker_dies_is_served_by_the_next_one() -> None:
    async with open_pool(scripted(slots=1, scripted_ms=10)) as pool:
        turn = await begin(pool)
        waiting = asyncio.create_task(answer(pool, ask("Hello 1"), person="bob"))
        await until(lambda: pool.queued == 1)
        os.kill(worker_of(pool), signal.SIGKILL)
        with pytest.raises(EngineFailed):
            await turn
        assert text_of(await waiting) == "Hello 1 word1"


async def test_a_worker_that_hangs_is_replaced() -> None:
    async with open_pool(scripted(scripted_ms=10, hang_s=1)) as pool:
        turn = await begin(pool)
        os.kill(worker_of(pool), signal.SIGSTOP)
        with pytest.raises(EngineFailed):
            await asyncio.wait_for(turn, PATIENCE_S)
        assert pool.last_error == "the worker did not answer any more"
        assert text_of(await answer(pool, ask("Hello 1"))) == "Hello 1 word1"


async def test_an_idle_worker_is_not_taken_for_one_that_hangs() -> None:
    async with open_pool(scripted(hang_s=0.5)) as pool:
        await answer(pool, ask("Hello 1"))
        first = worker_of(pool)
        await asyncio.sleep(1.2)
        assert worker_of(pool) == first


async def test_a_slot_whose_stop_is_never_confirmed_is_won_back() -> None:
    async with open_pool(scripted(slots=1, scripted_ms=10, hang_s=1)) as pool:
        with pool.admit(tenant="north", person="ann") as ticket:
            async for event in pool.generate(ticket, ask("Hello 400")):
                if isinstance(event, Piece) and not ticket.is_stopped:
                    os.kill(worker_of(pool), signal.SIGSTOP)
                    ticket.stop()
        # The person has the end; the slot is still taken: nobody waited for the worker to confirm.
        assert pool.running == 1
        assert text_of(await answer(pool, ask("Hello 1"))) == "Hello 1 word1"


@pytest.mark.parametrize(
    "line",
    [
        b"this is no message\n",
        b'["text",4711,"for a turn that does not run"]\n',
        b'["text",1,"half a pair \\ud800"]\n',
        b'["ended",1,"complete",{"prompt_tokens":-1},1.0]\n',
        b'["ended",1,"complete",{},1' + b"0" * 400 + b"]\n",
        b'["ended",1,"complete",{},NaN]\n',
        b'["counted",4711,1]\n',
        b"\xff\xfe\n",
        b"x" * (MAX_FROM_WORKER + 2),
        b"[" * 20_000 + b"\n",
    ],
)
async def test_a_worker_that_breaks_the_protocol_is_replaced(line: bytes) -> None:
    async with open_pool(scripted(scripted_ms=50)) as pool:
        turn = await begin(pool)
        first = worker_of(pool)
        await speak_for(first, line)
        with pytest.raises(EngineFailed):
            await asyncio.wait_for(turn, PATIENCE_S)
        assert pool.last_error == "the worker broke the protocol"
        assert not is_alive(first)
        assert text_of(await answer(pool, ask("Hello 1"))) == "Hello 1 word1"


async def test_a_worker_that_says_more_than_it_was_asked_for_is_replaced() -> None:
    async with open_pool(scripted(scripted_ms=5000)) as pool:
        turn = asyncio.create_task(answer(pool, ask("Hello", Sampling(max_new_tokens=8))))
        await until(lambda: pool.running == 1)
        await speak_for(worker_of(pool), b'["text",1,"' + b"x" * 9000 + b'"]\n')
        with pytest.raises(EngineFailed):
            await asyncio.wait_for(turn, PATIENCE_S)
        assert pool.last_error == "the worker broke the protocol"


async def test_a_worker_that_dies_again_and_again_is_given_up_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(breaker, "PAUSES_S", (0.0, 0.01, 0.01, 0.01))
    async with open_pool(scripted()) as pool:
        while pool.state != "failed":
            if pool.state == "ready":
                with contextlib.suppress(ProcessLookupError):  # the last one may be gone without our knowing
                    os.kill(worker_of(pool), signal.SIGKILL)
            await asyncio.sleep(0.01)
        with pytest.raises(EngineUnavailable) as refusal:
            pool.admit(tenant="north", person="ann")
        assert refusal.value.retry_after_ms == 30_000


async def test_a_worker_that_finishes_turns_in_between_is_not_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(breaker, "PAUSES_S", (0.0, 0.0, 0.0, 0.0))
    async with open_pool(scripted()) as pool:
        for _ in range(7):
            pid = worker_of(pool)
            await answer(pool, ask("Hello 1"))
            os.kill(pid, signal.SIGKILL)
            await until(lambda: pool.state != "ready")
            await until(lambda: pool.state == "ready")
            assert worker_of(pool) != pid


async def test_a_pool_that_has_failed_comes_back_when_the_cause_is_gone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(breaker, "SLOW_RETRY_S", 0.2)
    config = PoolConfig(tmp_path / "missing.gguf", ModelInfo("m", "", 256), "llamacpp", limits=GENEROUS)
    pool = InferencePool(config)
    await pool.start()
    try:
        with pytest.raises(EngineUnavailable):
            await pool.wait_ready(PATIENCE_S)
        assert (pool.state, pool.last_error) == ("failed", "the model file cannot be read")
    finally:
        await pool.close()


async def test_closing_leaves_no_process_and_no_thread() -> None:
    before = threading.active_count()
    pool = InferencePool(scripted())
    await pool.start()
    pid = worker_of(pool)
    await pool.wait_ready(PATIENCE_S)
    await pool.close()
    assert not is_alive(pid)
    assert (pool.state, pool.worker_pid) == ("closed", None)
    await until(lambda: threading.active_count() <= before)


async def test_closing_while_the_model_loads_leaves_no_process() -> None:
    pool = InferencePool(scripted())
    await pool.start()
    pid = worker_of(pool)
    await pool.close()
    assert not is_alive(pid)


async def test_closing_ends_every_turn_and_admits_nobody() -> None:
    async with open_pool(scripted(slots=1, scripted_ms=10)) as pool:
        running = await begin(pool)
        waiting = asyncio.create_task(answer(pool, ask("Hello"), person="bob"))
        await until(lambda: pool.queued == 1)
        await pool.close()
        for task in (running, waiting):
            with pytest.raises(EngineUnavailable):
                await task
        with pytest.raises(EngineUnavailable):
            pool.admit(tenant="north", person="cem")


async def test_a_stuck_worker_is_killed_when_the_pool_closes() -> None:
    pool = InferencePool(scripted())
    await pool.start()
    await pool.wait_ready(PATIENCE_S)
    pid = worker_of(pool)
    os.kill(pid, signal.SIGSTOP)
    await pool.close()
    assert not is_alive(pid)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_signals_to_the_process_group_leave_the_worker_to_the_portal(number: signal.Signals) -> None:
    async with open_pool(scripted(scripted_ms=1)) as pool:
        first = worker_of(pool)
        os.kill(first, number)
        assert end_of(await answer(pool, ask("Hello 20"))).reason == "complete"
        assert worker_of(pool) == first


PORTAL = """
import asyncio
from inference.pool import SCRIPTED_MODEL, InferencePool, PoolConfig

async def main():
    pool = InferencePool(PoolConfig(None, SCRIPTED_MODEL, "scripted"))
    await pool.start()
    await pool.wait_ready(15)
    print(pool.worker_pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.parametrize("worker_is_stuck", [False, True])
async def test_the_worker_dies_with_a_portal_that_is_killed(worker_is_stuck: bool) -> None:
    portal = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PORTAL, stdout=subprocess.PIPE, cwd=ROOT
    )
    try:
        assert portal.stdout is not None
        pid = int(await asyncio.wait_for(portal.stdout.readline(), PATIENCE_S))
        assert is_alive(pid)
        if worker_is_stuck:
            os.kill(pid, signal.SIGSTOP)
    finally:
        with contextlib.suppress(ProcessLookupError):
            portal.kill()
        await portal.wait()
    await until(lambda: not is_alive(pid), within_s=PATIENCE_S)
