"""Hold what the tests of this package share:

small prompts, reading a generation, waiting, looking at a process.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from inference.config import Standby
from inference.engine import ChatMessage, EngineName, Event, Finished, ModelInfo, Piece, Prompt, Sampling
from inference.engines.choice import fits_here
from inference.pool import SCRIPTED_MODEL, AdmissionLimits, InferencePool, PoolConfig, Ticket

GENEROUS = AdmissionLimits(rate_per_minute=1000)


CONTEXT = 1024


def config_for(model: Path, engine: EngineName) -> PoolConfig:
    """Say how to run the starter model; skip the test where the engine is not installed."""
    if engine == "native" and not fits_here():
        pytest.skip("the native engine is not built: make native")
    info = ModelInfo(name="SmolLM2-135M-Instruct", digest="", context_tokens=CONTEXT, is_starter=True)
    return PoolConfig(model, info, engine, slots=4, limits=GENEROUS)


def scripted(
    *,
    slots: int = 2,
    scripted_ms: float = 2,
    limits: AdmissionLimits = GENEROUS,
    max_new_tokens: int = 512,
    wall_time_s: float = 30,
    hang_s: float = 10,
    model: ModelInfo = SCRIPTED_MODEL,
    standby: Standby = "off",
    recycle_turns: int = 0,
) -> PoolConfig:
    return PoolConfig(
        model_path=None,
        model=model,
        engine="scripted",
        slots=slots,
        scripted_ms=scripted_ms,
        limits=limits,
        max_new_tokens=max_new_tokens,
        wall_time_s=wall_time_s,
        hang_s=hang_s,
        standby=standby,
        recycle_turns=recycle_turns,
    )


@asynccontextmanager
async def open_pool(config: PoolConfig) -> AsyncIterator[InferencePool]:
    pool = InferencePool(config)
    await pool.start()
    try:
        await pool.wait_ready(30)
        yield pool
    finally:
        await pool.close()


def ask(text: str, sampling: Sampling | None = None, *, system: str = "") -> Prompt:
    head = (ChatMessage("system", system),) if system else ()
    return Prompt((*head, ChatMessage("user", text)), sampling or Sampling())


def talk(*lines: str, system: str = "", sampling: Sampling | None = None) -> Prompt:
    """Make a conversation in which user and assistant take turns, the user first and last."""
    head = [ChatMessage("system", system)] if system else []
    said = [ChatMessage("assistant" if at % 2 else "user", line) for at, line in enumerate(lines)]
    return Prompt(tuple(head + said), sampling or Sampling())


async def read(pool: InferencePool, ticket: Ticket, prompt: Prompt) -> list[Event]:
    return [event async for event in pool.generate(ticket, prompt)]


async def answer(
    pool: InferencePool, prompt: Prompt, *, tenant: str = "north", person: str = "ann"
) -> list[Event]:
    with pool.admit(tenant=tenant, person=person) as ticket:
        return await read(pool, ticket, prompt)


def text_of(events: Iterable[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Piece))


def end_of(events: list[Event]) -> Finished:
    last = events[-1]
    assert isinstance(last, Finished)
    return last


async def until(condition: Callable[[], bool], within_s: float = 20) -> float:
    """Wait until the condition holds; return how long that took in seconds. Fail after `within_s`."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < within_s, "the condition did not come true in time"
        await asyncio.sleep(0.002)
    return time.monotonic() - began


def is_alive(pid: int) -> bool:
    """Say whether a process exists and is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def worker_of(pool: InferencePool) -> int:
    pid = pool.worker_pid
    assert pid is not None
    return pid


def workers_of(pool: InferencePool) -> list[int]:
    """Return the process ids of all workers of a pool, the active one first."""
    worker = pool._scheduler.worker
    children = sorted(worker.children, key=lambda child: child is not worker.active)
    return [child.pid for child in children if child.pid is not None]


async def wait_for_spare(pool: InferencePool) -> int:
    """Return the process id of the worker that stands by, once it is loaded."""
    worker = pool._scheduler.worker
    await until(lambda: worker.spare is not None and worker.spare.phase == "ready")
    assert worker.spare is not None
    assert worker.spare.pid is not None
    return worker.spare.pid


async def speak_for(pid: int, line: bytes) -> None:
    """Write into the pipe of a worker as if it had said that itself."""
    await asyncio.to_thread(_write_for, pid, line)


def _write_for(pid: int, line: bytes) -> None:
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        flags = int(Path(f"/proc/{pid}/fdinfo/{entry.name}").read_text().split("flags:")[1].split()[0], 8)
        if entry.readlink().name.startswith("pipe:") and flags & os.O_ACCMODE == os.O_WRONLY:
            with entry.open("wb", buffering=0) as pipe:
                pipe.write(line)
            return
    raise AssertionError("the worker has no pipe")
