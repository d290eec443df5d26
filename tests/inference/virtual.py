"""Run the real pool on a clock that jumps: hours of turns in a second, with an engine that is only timers.

Everything but the worker process is the real thing. How long an answer is and how fast it comes, the test decides.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any

from inference.child import Child
from inference.engine import Outcome, Usage
from inference.pool import InferencePool
from inference.wire import Cancel, Ended, Run, Text, ToWorker


class _JumpingSelector(selectors.DefaultSelector):
    """Let the time pass that the loop would have slept, at once."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        """Return what is there; move the clock on by the timeout."""
        self.now += timeout or 0.0
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock starts at 0 and moves only while everybody waits."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._jumping.now


def run_virtually(main: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main)


class TimerEngine:
    """Take the place of a pool's worker: answers of a length that `length_of` draws.

    A token takes `step_s` of the number of streams; the first one `first_s` more.
    """

    def __init__(
        self,
        pool: InferencePool,
        *,
        length_of: Callable[[int], int],
        step_s: Callable[[int], float],
        first_s: float = 0.5,
    ) -> None:
        self._length_of, self._step_s, self._first_s = length_of, step_s, first_s
        self._streams: set[int] = set()
        self._pool = pool._scheduler
        self._child = Child(is_spare=False, now=0)
        self._child.phase = "ready"
        self._child.send = self.take  # type: ignore[method-assign]
        self._pool.worker.children.append(self._child)
        self._pool.worker.active = self._child

    def take(self, message: ToWorker) -> None:
        """Act on what the pool sends."""
        match message:
            case Run(turn, prompt):
                self._streams.add(turn)
                length = min(self._length_of(turn), prompt.sampling.max_new_tokens)
                self._later(self._first_s, turn, 0, length)
            case Cancel(turn):
                self._end(turn, 0)

    def _later(self, seconds: float, turn: int, made: int, length: int) -> None:
        asyncio.get_running_loop().call_later(seconds, self._speak, turn, made, length)

    def _speak(self, turn: int, made: int, length: int) -> None:
        if turn not in self._streams:
            return
        if made == length:
            self._end(turn, made)
            return
        self._pool._receive(self._child, Text(turn, "word "))
        self._later(self._step_s(len(self._streams)), turn, made + 1, length)

    def _end(self, turn: int, made: int) -> None:
        if turn in self._streams:
            self._streams.remove(turn)
            self._pool._receive(self._child, Ended(turn, Outcome("complete", Usage(1, made))))
