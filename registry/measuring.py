"""Run one model by itself: a pool of its own, in the same cage as the serving one, standing back behind everything.

Plain calls for the thread that opened it; the event loop runs only while a call does.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

from inference.config import PoolConfig
from inference.engine import ChatMessage, Finished, Piece, Prompt, Sampling, WorkerReport
from inference.errors import EngineUnavailable
from inference.memory import PeakMemory, peak_memory
from inference.pool import InferencePool

# Seconds between two looks at whether to stop while a model loads.
LOOK_S = 0.05
LOAD_TIMEOUT_S = 600
# The likeliest word each time, so that two runs say the same.
SEED = 20_250_101
SPEED_TOKENS = 64
# Short, and no two begin alike: what an engine keeps of one helps none of the others.
SPEED_PROMPTS = (
    "Tell me about a walk along a river.",
    "Describe how bread is made.",
    "What happens in a railway station in the morning?",
)
# About 500 tokens each, to measure how fast a question is read.
LONG_PROMPTS = tuple(
    f"{word} report.\n"
    + "\n".join(
        f"Entry {n}: the clerk counted {n * 7} files, shelved them and locked the door." for n in range(25)
    )
    for word in ("Monday", "Wednesday", "Friday")
)


class Stopped(Exception):
    """Say that the evaluation was told to stop."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Hold what the model said, its tokens and its times in milliseconds, measured in this process."""

    text: str
    prompt_tokens: int
    completion_tokens: int
    first_token_ms: int
    total_ms: int

    @property
    def decode_tps(self) -> float | None:
        """Return the tokens per second after the first one; None where there are too few to tell."""
        spent_ms = self.total_ms - self.first_token_ms
        if self.completion_tokens < 8 or spent_ms <= 0:
            return None
        return (self.completion_tokens - 1) * 1000 / spent_ms


class CagedModel:
    """Load a model and ask it, one question after the other. A context manager; `load_s` is how long loading took.

    `should_stop` is asked while it loads and while it answers; once it says yes, Stopped is raised.
    """

    def __init__(self, config: PoolConfig, *, should_stop: Callable[[], bool]) -> None:
        self._should_stop = should_stop
        self._runner = asyncio.Runner()
        self._config = config
        self._pool: InferencePool | None = None
        self.load_s = 0.0

    def __enter__(self) -> CagedModel:
        """Begin with nothing; `load` starts the worker."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the worker; return when its process is gone."""
        with self._runner:
            if self._pool is not None:
                self._runner.run(self._pool.close())

    def load(self) -> None:
        """Return when the model is loaded. Raises EngineUnavailable (see `last_error`), Stopped."""
        self._runner.run(self._load())

    @property
    def last_error(self) -> str:
        """Return why the worker was lost or never came; "" if it was not."""
        return self._pool.last_error if self._pool else ""

    @property
    def report(self) -> WorkerReport | None:
        """Return what the worker says that it has become."""
        return self._pool.report if self._pool else None

    def ask(self, question: str, *, system: str = "", max_new_tokens: int) -> Answer:
        """Return the answer. Raises Stopped, and InferenceError where the engine fails."""
        head = (ChatMessage("system", system),) if system else ()
        sampling = Sampling(
            max_new_tokens=max_new_tokens, temperature=0, top_k=1, repeat_penalty=1.0, seed=SEED
        )
        return self._runner.run(self._ask(Prompt((*head, ChatMessage("user", question)), sampling)))

    def memory(self) -> PeakMemory | None:
        """Return the worker's highest memory up to now, None where the kernel does not say."""
        pid = self._pool.worker_pid if self._pool else None
        return peak_memory(pid) if pid is not None else None

    def decode_speed(self, *, samples: int) -> float:
        """Return the median speed of one answer alone, in tokens per second; 0 where no answer is long enough."""
        answers = (self.ask(text, max_new_tokens=SPEED_TOKENS) for text in SPEED_PROMPTS[:samples])
        speeds = [speed for answer in answers if (speed := answer.decode_tps) is not None]
        return statistics.median(speeds) if speeds else 0.0

    def prompt_speed(self, *, samples: int) -> float:
        """Return the median speed at which a question of about 500 tokens is read, in tokens per second."""
        answers = [self.ask(text, max_new_tokens=1) for text in LONG_PROMPTS[:samples]]
        speeds = [one.prompt_tokens * 1000 / (one.first_token_ms or one.total_ms or 1) for one in answers]
        return statistics.median(speeds)

    async def _load(self) -> None:
        self._pool = pool = InferencePool(self._config)
        began = time.monotonic()
        await pool.start()
        while pool.state not in {"ready", "failed", "closed"}:
            if self._should_stop():
                raise Stopped
            if time.monotonic() - began > LOAD_TIMEOUT_S:
                raise EngineUnavailable
            await asyncio.sleep(LOOK_S)
        self.load_s = time.monotonic() - began
        if pool.state != "ready":
            raise EngineUnavailable

    async def _ask(self, prompt: Prompt) -> Answer:
        if self._pool is None or self._should_stop():
            raise Stopped
        pieces: list[str] = []
        with self._pool.admit(tenant="", person="") as ticket:
            async for event in self._pool.generate(ticket, prompt):
                if isinstance(event, Piece):
                    pieces.append(event.text)
                if self._should_stop():
                    ticket.stop()
                if isinstance(event, Finished):
                    finished = event
        if finished.reason == "stopped":
            raise Stopped
        usage, timings = finished.usage, finished.timings
        return Answer(
            text="".join(pieces),
            prompt_tokens=usage.prompt_tokens - usage.cached_tokens,
            completion_tokens=usage.completion_tokens,
            first_token_ms=timings.first_token_ms,
            total_ms=timings.total_ms - timings.queue_ms,
        )
