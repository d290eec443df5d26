"""Ask a pool as the portal does, and time what comes."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks._figures import Answer, BenchmarkError, Round
from inference.engine import (
    ChatMessage,
    EngineName,
    Finished,
    ModelInfo,
    Piece,
    Prompt,
    Queued,
    Sampling,
    Started,
)
from inference.pool import SCRIPTED_MODEL, AdmissionLimits, InferencePool, PoolConfig

CONTEXT, SLOTS, READY_S = 4096, 4, 120
_people = itertools.count()


@dataclass(slots=True)
class Told:
    """One answer's text and the times of its pieces; the waits that were told before, and the real one, in seconds."""

    began: float
    text: str = ""
    stamps: list[float] = field(default_factory=list)
    ended: float = 0.0
    estimates: list[float] = field(default_factory=list)
    waited_s: float = 0.0
    finished: Finished | None = None

    @property
    def first_s(self) -> float:
        """Return the time to the first words."""
        return self.stamps[0] - self.began

    def answer(self) -> Answer:
        """Return the figures. Raise BenchmarkError if there was no answer."""
        if self.finished is None or not self.stamps:
            raise BenchmarkError("the pool gave no answer")
        tokens = self.finished.usage.completion_tokens
        return Answer(first_s=self.first_s, total_s=self.ended - self.began, tokens=tokens)

    @property
    def pace(self) -> float:
        """Return the engine's own tokens per second, decoding only."""
        return self.finished.timings.tokens_per_second if self.finished else 0.0


def config_for(model: Path, *, engine: EngineName, threads: int, slots: int = SLOTS) -> PoolConfig:
    """Say how to run the model: as the portal would, but with room for everybody."""
    return PoolConfig(
        model_path=model,
        model=ModelInfo(model.stem, str(model.stat().st_size), CONTEXT),
        engine=engine,
        threads=threads,
        slots=slots,
        limits=AdmissionLimits(rate_per_minute=100_000, queue_timeout_s=600),
    )


def scripted_config(pause_ms: float, *, slots: int) -> PoolConfig:
    """Say how to run the engine that says a word after each pause, to everybody."""
    limits = AdmissionLimits(rate_per_minute=100_000, queue_timeout_s=600)
    return PoolConfig(
        model_path=None,
        model=SCRIPTED_MODEL,
        engine="scripted",
        scripted_ms=pause_ms,
        slots=slots,
        limits=limits,
    )


@asynccontextmanager
async def pool_of(config: PoolConfig) -> AsyncIterator[InferencePool]:
    """Run a pool and yield it once its model is loaded."""
    pool = InferencePool(config)
    await pool.start()
    try:
        await pool.wait_ready(READY_S)
        yield pool
    finally:
        await pool.close()


async def ask(
    pool: InferencePool,
    messages: Sequence[ChatMessage],
    *,
    tokens: int,
    person: str = "",
    tenant: str = "bench",
) -> Told:
    """Ask once; every asker without a name is somebody new."""
    told = Told(time.perf_counter())
    prompt = Prompt(tuple(messages), Sampling(max_new_tokens=tokens))
    with pool.admit(tenant=tenant, person=person or f"person {next(_people)}") as ticket:
        async for event in pool.generate(ticket, prompt):
            if isinstance(event, Piece):
                told.stamps.append(time.perf_counter())
                told.text += event.text
            elif isinstance(event, Queued):
                told.estimates.append(event.eta_ms / 1000)
            elif isinstance(event, Started):
                told.waited_s = event.waited_ms / 1000
            else:
                told.finished = event
    told.ended = time.perf_counter()
    return told


async def ask_all(pool: InferencePool, system: str, questions: Sequence[str], *, tokens: int) -> Round:
    """Ask all at the same moment."""
    began = time.perf_counter()
    asked = [
        ask(pool, (ChatMessage("system", system), ChatMessage("user", question)), tokens=tokens)
        for question in questions
    ]
    told = await asyncio.gather(*asked)
    return Round(answers=tuple(one.answer() for one in told), wall_s=time.perf_counter() - began)


def together(told: Sequence[Told]) -> float:
    """Return tokens per second of all streams, from when the last one has begun to when the first one ends.

    Raise BenchmarkError if there is no such time.
    """
    begin, end = max(one.stamps[0] for one in told), min(one.ended for one in told)
    if end <= begin:
        raise BenchmarkError("the streams did not overlap")
    share = [sum(begin < stamp <= end for stamp in one.stamps) / len(one.stamps) for one in told]
    made = [one.answer().tokens * part for one, part in zip(told, share, strict=True)]
    return sum(made) / (end - begin)
