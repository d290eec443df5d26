"""Keep the workers of a pool: one that is active, a spare where wanted, and those that finish what they began.

    loading ──> ready (spare) ──> ready (active) ──> draining ──> gone

The active one takes all new turns. When it is lost the spare takes over at once; without one a new worker is started,
with growing pauses (`inference.breaker`). A recycle puts a fresh worker in its place without a lost turn.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from inference import memory
from inference.breaker import PROVEN_S, Breaker
from inference.cage.names import breaches, describe
from inference.child import Child
from inference.config import PoolConfig
from inference.engine import LOAD_ERRORS, WorkerReport
from inference.errors import EngineUnavailable
from inference.process import start_worker
from inference.standby import StandbyKeeper
from inference.wire import Broken, FromWorker, Ready, ToWorker

logger = logging.getLogger("portal.pool")

State = Literal["starting", "ready", "restarting", "failed", "closed"]

# A large model on a slow disk takes minutes. A worker that takes longer hangs.
LOAD_TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True)
class Callbacks:
    """Gather whom a supervisor tells what a worker says, and when one is active, lost or given up."""

    on_message: Callable[[Child, FromWorker], None]
    on_ready: Callable[[], None]
    on_lost: Callable[[Child], None]
    on_failed: Callable[[], None]


class Supervisor:
    """Own the worker processes of a pool. All methods belong to the event loop in which `start` ran."""

    def __init__(self, config: PoolConfig, callbacks: Callbacks) -> None:
        self._spec = config.worker_spec
        self._trials = config.trials
        self._verify = config.verify
        self._tell = callbacks
        self._tasks: set[asyncio.Task[None]] = set()
        self._restart: asyncio.TimerHandle | None = None
        self._closed = False
        self.own_bytes = 0
        self.is_recycling = False
        self.standby = StandbyKeeper(config.standby, self, lambda: self.start_child(is_spare=True))
        self.breaker = Breaker()
        self.children: list[Child] = []
        self.active: Child | None = None
        self.last_error = ""
        self.report: WorkerReport | None = None
        self.restarts = 0
        self.changed = asyncio.Event()

    @property
    def state(self) -> State:
        """Return what the pool can do now. Once the circuit is open it is failed until a worker is ready."""
        if self._closed:
            return "closed"
        if self.active is not None:
            return "ready"
        if self.breaker.circuit != "closed":
            return "failed"
        return "restarting" if self.report or self.last_error else "starting"

    @property
    def pid(self) -> int | None:
        """Return the process id of the active worker, or of the one that will be; None while there is none."""
        heir = self.active or self._heir()
        return heir.pid if heir is not None else None

    @property
    def spare(self) -> Child | None:
        """Return the worker that stands by, loading or ready."""
        return next((each for each in self._serving() if each.is_spare), None)

    @property
    def is_calm(self) -> bool:
        """Return whether there is an active worker, nobody else, and no doubt that it works."""
        is_alone = self.active is not None and len(self.children) == 1
        return is_alone and not self._closed and self.breaker.circuit == "closed"

    async def start(self) -> None:
        """Start the first worker; return while it loads."""
        await self.start_child(is_spare=False).started.wait()

    async def close(self) -> None:
        """End every turn, then the workers, and return when their processes are gone."""
        self._closed = True
        self.active = None
        self.standby.close()
        self._cancel_restart()
        for child in self.children:
            self._tell.on_lost(child)
        self._tell.on_failed()
        self._tell_change()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.children.clear()

    def send_all(self, message: ToWorker) -> None:
        """Send a message to every worker, whatever it does."""
        for child in self.children:
            child.send(message)

    def prove(self, child: Child) -> None:
        """Note that a worker has done its work. One that drains says nothing of its successors."""
        if child is self.active:
            self.breaker.prove()

    def note_idle(self, child: Child) -> None:
        """Note that the last turn on a worker has ended: one that drains may leave."""
        if child.phase == "draining":
            child.dismiss()

    def retire(self, old: Child) -> None:
        """Give the active worker no more turns, and let it go when it has finished those it has."""
        self.active = None
        old.phase = "draining"
        if not old.turns:
            old.dismiss()
        elif old.is_stuck:
            old.kill("the worker did not end a turn")
        self._arrange()

    async def until_settled(self) -> None:
        """Return when there is an active worker. Raise EngineUnavailable if there will be none."""
        await self.until(lambda: self.state in {"ready", "failed", "closed"})
        if self.state != "ready":
            raise EngineUnavailable

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return when the condition holds, which depends on the workers. Raise EngineUnavailable at the end of all."""
        while not condition():
            if self._closed:
                raise EngineUnavailable
            await self.changed.wait()

    def look_after(self) -> None:
        """Do what is due now and then: see what the active worker has taken, and who has shown that it works."""
        now = asyncio.get_running_loop().time()
        for child, its_breaker in ((self.active, self.breaker), (self.spare, self.standby.breaker)):
            if child is not None and now - child.born >= PROVEN_S and child.phase == "ready":
                its_breaker.prove()
        if self.active is not None:
            self.active.own_bytes = memory.own_bytes(self.active.pid or 0) or 0
            self.own_bytes = max(self.own_bytes, self.active.own_bytes)
        self.standby.arrange()

    # --- who is there, and who should be ------------------------------------------------------------------------

    def _serving(self) -> list[Child]:
        return [child for child in self.children if child.phase in {"loading", "ready"}]

    def _heir(self) -> Child | None:
        """Return who is to be active next: one that is ready before one that loads."""
        return min(self._serving(), key=lambda child: child.phase != "ready", default=None)

    def _arrange(self) -> None:
        """Make the heir active if nobody is; start one if there is none."""
        if self.active is None and not self._closed and self.breaker.circuit != "open":
            heir = self._heir()
            if heir is not None:
                self._appoint(heir)
            elif self._restart is None and (not self.children or self.standby.has_room()):
                self.start_child(is_spare=False)
        self.standby.arrange()
        self._tell_change()

    def _appoint(self, heir: Child) -> None:
        heir.is_spare = False
        if heir.phase == "ready":
            self._cancel_restart()
            self.active = heir
            self._tell.on_ready()

    def _retry(self) -> None:
        self._restart = None
        self.breaker.probe()
        self._arrange()

    def _cancel_restart(self) -> None:
        if self._restart is not None:
            self._restart.cancel()
            self._restart = None

    def _tell_change(self) -> None:
        self.changed.set()
        self.changed.clear()

    # --- the life of one worker ---------------------------------------------------------------------------------

    def start_child(self, *, is_spare: bool) -> Child:
        """Begin to start a worker."""
        child = Child(is_spare=is_spare, now=asyncio.get_running_loop().time())
        self.children.append(child)
        self.spawn(self._live(child), "inference worker")
        return child

    async def _live(self, child: Child) -> None:
        """Start a worker and return when it is gone and the pool knows. Of a loss it knows at once."""
        try:
            reason = await self._follow(child)
            if reason:
                self._note_end(child, reason)
        finally:
            child.set_timer(None)
            if child.process is not None:
                await child.process.close()
        if not reason:
            self._note_end(child, "")

    async def _follow(self, child: Child) -> str:
        """Start a worker and return why it has gone, "" when it is to leave."""
        try:
            if self._verify is not None and (code := await self._verify()):
                child.broken = LOAD_ERRORS[code]
                return child.broken
            child.process = await start_worker(self._spec, partial(self._receive, child))
        except OSError:
            return "no process can be started"
        finally:
            child.started.set()
        child.set_timer(LOAD_TIMEOUT_S, lambda: child.kill("the worker did not answer any more"))
        gone: asyncio.Future[str] = child.process.gone
        await asyncio.wait({gone, child.dismissed}, return_when=asyncio.FIRST_COMPLETED)
        return gone.result() if gone.done() else ""

    def _receive(self, child: Child, message: FromWorker) -> None:
        if self._closed:
            return
        match message:
            case Ready(report) if child.phase == "loading":
                self._note_ready(child, report)
            case Broken(code, cage) if child.phase == "loading":
                child.broken = LOAD_ERRORS.get(code, "the model could not be loaded")
                if cage:
                    child.broken += f": {describe(breaches(cage))}"
            case _:
                self._tell.on_message(child, message)

    def _note_ready(self, child: Child, report: WorkerReport) -> None:
        """Take the worker in. Later ones need not measure again what the first has found out about threads."""
        child.set_timer(None)
        child.phase = "ready"
        child.own_bytes = memory.own_bytes(child.pid or 0) or 0
        self.own_bytes = max(self.own_bytes, child.own_bytes)
        known = self.report.trials if self.report else self._trials
        self.report = replace(report, trials=report.trials or known)
        self._spec = replace(self._spec, threads=self._spec.threads or report.threads)
        self._arrange()

    def _note_end(self, child: Child, reason: str) -> None:
        """Take note of a worker that is gone. Only one that was not dismissed has failed."""
        was = child.phase
        child.phase = "gone"
        self.children.remove(child)
        is_heir = child is self.active or (self.active is None and was != "draining")
        if child is self.active:
            self.active = None
        if reason:
            self.last_error = child.broken or (
                f"{reason} while it loaded the model" if was == "loading" else reason
            )
            logger.warning("an inference worker was lost: %s", self.last_error)
            self._count_failure(child, is_heir=is_heir, was_draining=was == "draining")
        self._tell.on_lost(child)
        if self.breaker.circuit == "open" and self.active is None:
            self._tell.on_failed()
        self._arrange()

    def _count_failure(self, child: Child, *, is_heir: bool, was_draining: bool) -> None:
        """Let the breaker say when to try again. One that had its place taken already needs no successor."""
        lived_s = asyncio.get_running_loop().time() - child.born
        hopeless = bool(child.broken)
        if is_heir:
            self.restarts += 1
            self._cancel_restart()
            pause_s = self.breaker.fail(lived_s=lived_s, is_hopeless=hopeless)
            if pause_s:
                self._restart = asyncio.get_running_loop().call_later(pause_s, self._retry)
        elif not was_draining:
            self.standby.fail(lived_s=lived_s, is_hopeless=hopeless)

    def spawn(self, work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        """Start a task that is cancelled at the end of all."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
