"""Be one worker process as the pool sees it: its phase, the turns on it, its figures, and its signs of life."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal

from inference.process import WorkerProcess
from inference.speed import Speedometer
from inference.turn import Turn
from inference.wire import ToWorker

# `ready` serves turns or, as a spare, waits to do so; `draining` finishes those it has.
Phase = Literal["loading", "ready", "draining", "gone"]


class Child:
    """Hold one worker from its start to its end. A spare has no turns until it is made the active one."""

    def __init__(self, *, is_spare: bool, now: float) -> None:
        self.phase: Phase = "loading"
        self.is_spare = is_spare
        self.process: WorkerProcess | None = None
        self.turns: dict[int, Turn] = {}
        self.counts: set[int] = set()
        self.turns_done = 0
        self.born = now
        self.broken = ""
        self.own_bytes = 0
        self.soft_bytes = 0
        self.speed = Speedometer()
        self.started = asyncio.Event()
        self.dismissed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._prompt_heard = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def pid(self) -> int | None:
        """Return the process id, None while there is none."""
        return self.process.pid if self.process is not None and self.phase != "gone" else None

    @property
    def has_lost_slot(self) -> bool:
        """Return whether a turn is on it whose end the engine does not confirm."""
        return any(turn.is_lost for turn in self.turns.values())

    @property
    def is_stuck(self) -> bool:
        """Return whether nothing but such turns is on it."""
        return bool(self.turns) and all(turn.is_lost for turn in self.turns.values())

    def send(self, message: ToWorker) -> None:
        """Send a message; nothing happens when the process is gone."""
        if self.process is not None:
            self.process.send(message)

    def kill(self, reason: str) -> None:
        """End the process at once."""
        if self.process is not None:
            self.process.kill(reason)

    def dismiss(self) -> None:
        """Let the process leave, as is planned."""
        if not self.dismissed.done():
            self.dismissed.set_result("")

    def set_timer(self, seconds: float | None, act: Callable[[], None] | None = None) -> None:
        """Replace the one timer that watches over it: the loading, later the turns. None ends the watch."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if seconds is not None and act is not None:
            self._timer = asyncio.get_running_loop().call_later(seconds, act)

    def hear_prompt(self, now: float) -> None:
        """Note that a prompt is being processed: others may wait behind it inside the engine."""
        self._prompt_heard = now

    def heard(self, turn: Turn) -> float:
        """Return when a turn gave its last sign of life.

        Engines process prompts one after the other: as long as one makes progress, those that have not given any sign
        yet are not stuck.
        """
        return turn.heard if turn.has_signs else max(turn.heard, self._prompt_heard)
