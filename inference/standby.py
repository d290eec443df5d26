"""Decide whether a second worker is kept loaded, and see to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from inference import memory
from inference.breaker import Breaker
from inference.child import Child
from inference.config import Standby

# The first people shall not wait for the loading of a spare, which takes a core.
SPARE_DELAY_S = 2.0
# What a second worker must leave free on the machine, beyond the memory that the first has taken and a quarter of it.
MARGIN_BYTES = 512 << 20


class Crew(Protocol):
    """Name what must be known of the other workers."""

    @property
    def spare(self) -> Child | None:
        """Return the worker that stands by."""

    @property
    def is_calm(self) -> bool:
        """Return whether there is an active worker, nobody else, and no doubt that it works."""

    is_recycling: bool
    own_bytes: int


class StandbyKeeper:
    """Start a spare where one is wanted and memory allows it, and let it go where memory has become scarce.

    Never three workers: neither while one drains nor while one loads. A spare that fails is tried again with growing
    pauses; none of that touches the active worker.
    """

    def __init__(self, mode: Standby, crew: Crew, start: Callable[[], object]) -> None:
        self._mode = mode
        self._crew = crew
        self._start = start
        self._timer: asyncio.TimerHandle | None = None
        self.breaker = Breaker()

    def has_room(self) -> bool:
        """Return whether memory allows a second worker. What the kernel does not tell counts as no."""
        if self._mode == "on":
            return True
        available = memory.available_bytes()
        return available is not None and available >= self._crew.own_bytes * 5 // 4 + MARGIN_BYTES

    def arrange(self) -> None:
        """Start a spare soon if one is wanted and missing; let it go where memory has become scarce."""
        spare = self._crew.spare
        if self._mode == "auto" and spare is not None and self._is_scarce():
            spare.dismiss()
        elif self._timer is None and self._is_wanted():
            self._start_in(SPARE_DELAY_S)

    def fail(self, *, lived_s: float, is_hopeless: bool) -> None:
        """Take in that a spare was lost."""
        if self._mode == "off":
            return
        pause_s = self.breaker.fail(lived_s=lived_s, is_hopeless=is_hopeless)
        # One that cannot be had costs a core each time, and nobody needs it yet.
        self._start_in(20 * pause_s if self.breaker.circuit == "open" else max(pause_s, SPARE_DELAY_S))

    def release_unwanted(self) -> None:
        """Let go of a worker that was to be the next one, and has not become it."""
        if self._mode == "off" and (spare := self._crew.spare) is not None:
            spare.dismiss()

    def close(self) -> None:
        """Start no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _is_scarce(self) -> bool:
        available = memory.available_bytes()
        return not self._crew.is_recycling and available is not None and available < MARGIN_BYTES // 2

    def _is_wanted(self) -> bool:
        is_possible = self._crew.is_calm and self.breaker.circuit != "open"
        return self._mode != "off" and is_possible and self.has_room()

    def _start_in(self, seconds: float) -> None:
        self.close()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._start_now)

    def _start_now(self) -> None:
        self._timer = None
        self.breaker.probe()
        if self._is_wanted():
            self._start()
