"""Admit turns, queue them fairly, run as many as the engine has slots, and pass its words on.

The way in for the rest of the portal:

    with pool.admit(tenant=..., person=...) as ticket:
        async for event in pool.generate(ticket, prompt):
            ...

One pool owns the worker process of one model, and a second one that stands by or takes over. Everything runs
in the event loop in which `start` was awaited: no threads, no polling, no task per turn.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from types import TracebackType

from limits.storage import Storage

from inference.admission import Admission, AdmissionLimits, Allowance
from inference.config import SCRIPTED_MODEL, PoolConfig
from inference.engine import Event, Finished, Origin, Prompt, WorkerReport
from inference.errors import EngineUnavailable
from inference.queueing import Claim
from inference.scheduler import Scheduler
from inference.status import PoolStatus, sum_up
from inference.supervisor import State
from inference.turn import Turn

__all__ = [
    "SCRIPTED_MODEL",
    "AdmissionLimits",
    "Allowance",
    "InferencePool",
    "PoolConfig",
    "PoolStatus",
    "Ticket",
]


class Ticket:
    """Be one person's place for one turn.

    Use it in a `with` block: leaving it frees place and slot in any case.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        admission: Admission,
        claim: Claim,
        *,
        on_release: Callable[[Ticket], None],
    ) -> None:
        self.claim = claim
        self._scheduler = scheduler
        self._admission = admission
        self._turn: Turn | None = None
        self._on_release = on_release
        self.is_stopped = False
        self._released = False

    def stop(self) -> None:
        """End the generation in whatever phase it is, so that it yields Finished("stopped").

        Only from the event loop.
        """
        self.is_stopped = True
        if self._turn is not None:
            self._scheduler.end(self._turn, "stopped")

    def release(self) -> None:
        """Free place and slot. Does nothing the second time."""
        if self._released:
            return
        self._released = True
        self._admission.give_back(self.claim)
        if self._turn is not None:
            self._scheduler.abandon(self._turn)
        self._on_release(self)

    def begin(self, prompt: Prompt) -> Turn:
        """Put the one turn of this ticket into the queue. For the pool."""
        if self._released or self._turn is not None:
            raise RuntimeError("a ticket is good for one turn")
        origin = replace(prompt.origin, tenant=self.claim.tenant, person=self.claim.person)
        self._turn = self._scheduler.enqueue(self.claim, replace(prompt, origin=origin))
        if self.is_stopped:
            self._scheduler.end(self._turn, "stopped")
        return self._turn

    def __enter__(self) -> Ticket:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class InferencePool:
    """Run prompts of many people on the slots of a worker process, which is replaced when it fails or grows old.

    Pools that are given the same `turnstile` recycle their workers one after the other.
    """

    def __init__(
        self,
        config: PoolConfig,
        *,
        rate_storage: Storage | None = None,
        turnstile: asyncio.Lock | None = None,
        admission: Admission | None = None,
    ) -> None:
        self.config = config
        self._admission = admission or Admission(config.limits, slots=config.slots, storage=rate_storage)
        self._scheduler = Scheduler(config, turnstile or asyncio.Lock())
        self._tickets: set[Ticket] = set()
        self._unused = asyncio.Event()

    def expect_others(self, others_may_come: bool) -> None:  # noqa: FBT001
        """Say whether there are tenants besides the one that asks: then none of them gets every slot and place."""
        self._admission.others_may_come = self._scheduler.shares.others_may_come = others_may_come

    @property
    def state(self) -> State:
        """Return starting, ready, restarting, failed (the circuit is open, slow retries go on) or closed."""
        return self._scheduler.worker.state

    @property
    def last_error(self) -> str:
        """Return why the worker was lost last, "" if it never was. Safe to show to an operator."""
        return self._scheduler.worker.last_error

    @property
    def report(self) -> WorkerReport | None:
        """Return what the worker has become, None before one was ready."""
        return self._scheduler.worker.report

    @property
    def worker_pid(self) -> int | None:
        """Return the process id of the worker that takes new turns, None while there is none."""
        return self._scheduler.worker.pid

    @property
    def running(self) -> int:
        """Return how many slots are taken, those included whose end the engine has not confirmed yet."""
        return len(self._scheduler.running)

    @property
    def queued(self) -> int:
        """Return how many turns wait for a slot."""
        return len(self._scheduler.queue)

    def status(self) -> PoolStatus:
        """Return how the pool is now. From any thread; the figures may be a moment apart."""
        return sum_up(
            self.config,
            self._scheduler.worker,
            self._scheduler.recycler,
            running=self.running,
            queued=self.queued,
            now=time.monotonic(),  # which is the clock of the event loop
        )

    async def start(self) -> None:
        """Start the worker; return while it loads. Only once."""
        await self._scheduler.worker.start()
        self._scheduler.upkeep.start()

    async def wait_ready(self, timeout_s: float) -> None:
        """Return when the model is loaded. Raise EngineUnavailable if that fails or takes longer."""
        try:
            async with asyncio.timeout(timeout_s):
                while self.state not in {"ready", "failed", "closed"}:
                    await self._scheduler.worker.changed.wait()
        except TimeoutError:
            raise EngineUnavailable from None
        if self.state != "ready":
            raise EngineUnavailable

    async def close(self) -> None:
        """End the worker and every turn (with EngineUnavailable); return when no process is left."""
        self._scheduler.upkeep.stop()
        await self._scheduler.worker.close()

    async def drain(self) -> None:
        """Let every turn that has a ticket finish, then close. For a pool to which nobody is sent any more."""
        while self._tickets:
            self._unused.clear()
            await self._unused.wait()
        await self.close()

    async def recycle(self, reason: str = "request") -> None:
        """Put a fresh worker in the place of the active one, without a refused or lost turn.

        Return when the old one has finished its turns and is gone. Raise EngineUnavailable if no fresh one can be
        had; then the old one goes on.
        """
        await self._scheduler.upkeep.recycle(reason)

    async def count_tokens(self, prompt: Prompt) -> int:
        """Return the tokens of a prompt by the model's own tokenizer. Raise EngineUnavailable."""
        return await self._scheduler.count_tokens(prompt)

    def forget(self, origin: Origin) -> None:
        """Drop what the engine keeps of that origin's text; an empty field stands for all."""
        self._scheduler.forget(origin)

    def admit(
        self, *, tenant: str, person: str, weight: float = 1.0, allowance: Allowance | None = None
    ) -> Ticket:
        """Give this person a place for one turn; `weight` is the tenant's share against 1 of an ordinary tenant.

        `allowance` is what holds for its people in place of the pool's limits.

        Raise RateLimited, Busy, TenantBusy, QueueFull or EngineUnavailable, with `retry_after_ms` unless the pool is
        closed.
        """
        self._scheduler.require_engine()
        claim = Claim(tenant, person, weight)
        self._admission.take(
            claim,
            turn_ms=self._scheduler.turn_ms,
            place_ms=lambda: self._scheduler.next_wait_ms(tenant),
            allowance=allowance,
        )
        ticket = Ticket(self._scheduler, self._admission, claim, on_release=self._forget_ticket)
        self._tickets.add(ticket)
        return ticket

    def _forget_ticket(self, ticket: Ticket) -> None:
        self._tickets.discard(ticket)
        if not self._tickets:
            self._unused.set()

    async def generate(self, ticket: Ticket, prompt: Prompt) -> AsyncGenerator[Event, None]:
        """Answer the prompt: Queued* Started Piece* Finished; without Started where it was stopped before.

        Raise QueueTimeout, PromptTooLong, EngineUnavailable or EngineFailed (the worker broke in
        mid-answer). A consumer that goes away ends the generation. A ticket that was used or released
        raises RuntimeError.
        """
        turn = ticket.begin(prompt)
        try:
            finished = False
            while not finished:
                event = await turn.mailbox.get()
                finished = isinstance(event, Finished)
                yield event
        finally:
            self._scheduler.abandon(turn)
