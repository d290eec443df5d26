"""Keep one worker process alive: notice when it dies or hangs, start it again with growing pauses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from inference.engine import LOAD_ERRORS, WorkerReport, WorkerSpec
from inference.process import WorkerProcess, start_worker
from inference.wire import Broken, FromWorker, Ready, ToWorker

State = Literal["starting", "ready", "restarting", "failed", "closed"]

# Seconds before the first, second, … restart in a row. The first is at once: the next turn shall work
# within 5 s.
PAUSES_S = (0.0, 0.5, 1.0, 2.0)
# After one failure more than there are pauses the worker is given up, but for one try every SLOW_RETRY_S.
MAX_FAILURES = len(PAUSES_S) + 1
SLOW_RETRY_S = 30.0
# A worker that lives this long, or has finished a turn, has shown that it works: the count begins anew.
PROVEN_S = 60.0
# A large model on a slow disk takes minutes. A worker that takes longer hangs.
LOAD_TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True)
class Callbacks:
    """Gather whom a supervisor tells what a worker says, and when one is ready, lost or given up."""

    on_message: Callable[[FromWorker], None]
    on_ready: Callable[[], None]
    on_lost: Callable[[], None]
    on_failed: Callable[[], None]


class Supervisor:
    """Own the worker process of a pool. All methods belong to the event loop in which `start` ran."""

    def __init__(self, spec: WorkerSpec, callbacks: Callbacks) -> None:
        self._spec = spec
        self._tell = callbacks
        self._worker: WorkerProcess | None = None
        self._task: asyncio.Task[None] | None = None
        self._failures = 0
        self._broken = ""
        self._heard = 0.0
        self._hang_check: asyncio.TimerHandle | None = None
        self.state: State = "starting"
        self.last_error = ""
        self.report: WorkerReport | None = None
        self.changed = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """Return the worker's process id, None while there is none."""
        return self._worker.pid if self._worker is not None else None

    async def start(self) -> None:
        """Start the first worker; return while it loads."""
        started = asyncio.Event()
        self._task = asyncio.create_task(self._run(started), name="inference worker")
        await started.wait()

    async def close(self) -> None:
        """End every turn, then the worker, and return when its process is gone."""
        self._enter("closed")
        self._tell.on_lost()
        self._tell.on_failed()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def send(self, message: ToWorker) -> None:
        """Send a message to the present worker."""
        if self._worker is not None:
            self._worker.send(message)

    def kill(self, reason: str) -> None:
        """End the present worker; another one starts."""
        if self._worker is not None:
            self._worker.kill(reason)

    def prove(self) -> None:
        """Note that this worker does its work."""
        self._failures = 0

    def expect_life(self, *, within_s: float | None) -> None:
        """Kill the worker when it says nothing for that many seconds; None ends the watch.

        Idle workers are silent.
        """
        if self._hang_check is not None:
            self._hang_check.cancel()
            self._hang_check = None
        if within_s is not None:
            loop = asyncio.get_running_loop()
            self._heard = loop.time()
            self._hang_check = loop.call_later(within_s, self._check_life, within_s)

    def _check_life(self, within_s: float) -> None:
        loop = asyncio.get_running_loop()
        rest = self._heard + within_s - loop.time()
        if rest > 0:
            self._hang_check = loop.call_later(rest, self._check_life, within_s)
        else:
            self._hang_check = None
            self.kill("the worker did not answer any more")

    def _enter(self, state: State) -> None:
        self.state = state
        self.changed.set()
        self.changed.clear()

    def _receive(self, message: FromWorker) -> None:
        if self.state == "closed":
            return
        self._heard = asyncio.get_running_loop().time()
        match message:
            case Ready(report):
                self.report = report
                self.expect_life(within_s=None)
                self._enter("ready")
                self._tell.on_ready()
            case Broken(code):
                self._broken = LOAD_ERRORS.get(code, "the model could not be loaded")
            case _:
                self._tell.on_message(message)

    async def _run(self, started: asyncio.Event) -> None:
        try:
            while True:
                await self._live_once(started)
                await asyncio.sleep(self._pause())
        finally:
            self.expect_life(within_s=None)

    async def _live_once(self, started: asyncio.Event) -> None:
        """Start a worker and return when it is gone and the pool knows."""
        loop = asyncio.get_running_loop()
        born = loop.time()
        self._broken = ""
        try:
            self._worker = await start_worker(self._spec, self._receive)
            self.expect_life(within_s=LOAD_TIMEOUT_S)
            started.set()
            reason = await asyncio.shield(self._worker.gone)
        except OSError:
            reason = "no process can be started"
            started.set()
        finally:
            self.expect_life(within_s=None)
            worker, self._worker = self._worker, None
            if worker is not None:
                await worker.close()
        self._note_loss(reason, lived_s=loop.time() - born)

    def _note_loss(self, reason: str, *, lived_s: float) -> None:
        was_loading = self.state != "ready"
        self._failures = 1 if lived_s >= PROVEN_S else self._failures + 1
        if self._broken:
            # The worker itself says that this model does not load: trying again quickly helps nobody.
            self._failures = MAX_FAILURES
        self.last_error = self._broken or (f"{reason} while it loaded the model" if was_loading else reason)
        self._tell.on_lost()
        if self._failures >= MAX_FAILURES:
            self._enter("failed")
            self._tell.on_failed()
        else:
            self._enter("restarting")

    def _pause(self) -> float:
        if self._failures >= MAX_FAILURES:
            return SLOW_RETRY_S
        return PAUSES_S[self._failures - 1]
