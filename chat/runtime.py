"""Hold what runs in this process: the pool, the turns, the temporary conversations."""

from __future__ import annotations

import asyncio
import logging
from functools import cache, partial
from typing import Protocol
from uuid import UUID

from channels.layers import get_channel_layer
from django.conf import settings
from django.db import DatabaseError

from accounts.live import RUNTIME_GROUP
from accounts.models import User
from audit.services import record_event
from chat.budgets import FrameBudget
from chat.conversations import mark_interrupted
from chat.pipeline import Engine, run_turn
from chat.requests import Person, TurnRequest
from chat.temporary import TemporaryConversations
from chat.turns import LiveTurn, Turns
from common.errors import PortalError
from common.threads import in_database_thread
from common.tracebacks import where
from inference.admission import AdmissionLimits
from inference.engine import ModelInfo, Origin
from inference.engines.choice import choose_engine
from inference.pool import SCRIPTED_MODEL, InferencePool, PoolConfig
from inference.tuning import tune
from registry.errors import ModelError
from registry.evaluating import settle_interrupted
from registry.evaluator import evaluator
from registry.models import ModelArtifact
from registry.services import active_artifact, verify_artifact

logger = logging.getLogger("portal.runtime")

NO_MODEL = ModelInfo(name="", digest="", context_tokens=0)
STOP_TIMEOUT_S = 5
RESTARTING = 1012
ASKS_AT_ONCE, ASKS_PER_SECOND = 30, 2


class Socket(Protocol):
    """An open socket, as far as the runtime needs to know it."""

    async def close(self, code: int) -> None:
        """Close with a code."""


class Runtime:
    """Everything that lives as long as the server process. All methods belong to the event loop's thread.

    `model` and `state` may be read from any thread.
    """

    def __init__(self) -> None:
        self.turns = Turns(grace_s=settings.PORTAL.resume_grace_s)
        self.temporary = TemporaryConversations(self._drop_cached)
        self.model = NO_MODEL
        self.artifact: ModelArtifact | None = None
        self.pool: InferencePool | None = None
        self.reason = ""
        self.sockets: dict[Socket, UUID] = {}
        self._asks: dict[UUID, FrameBudget] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._starting: asyncio.Task[None] | None = None
        self._listening: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing = False

    @property
    def state(self) -> str:
        """Return the pool's state; "starting" before there is a pool, "failed" without a model."""
        if self.pool is not None:
            return self.pool.state
        return "failed" if self.reason else "starting"

    def sockets_of(self, account_id: UUID) -> int:
        """Return how many sockets a person has open."""
        return sum(owner == account_id for owner in self.sockets.values())

    def may_ask(self, account_id: UUID) -> bool:
        """Count a question or a resume, over all sockets of a person; return False when there are too many.

        Even a refused one costs the database and the audit log something, which everybody else would wait for.
        """
        for idle in [known for known, budget in self._asks.items() if budget.is_empty]:
            del self._asks[idle]
        return self._asks.setdefault(
            account_id, FrameBudget(burst=ASKS_AT_ONCE, per_second=ASKS_PER_SECOND)
        ).take()

    def ensure_started(self) -> None:
        """Begin to start, once; returns at once."""
        if self._starting is None:
            self._loop = asyncio.get_running_loop()
            self._listening = self._loop.create_task(self._listen())
            self._starting = self._loop.create_task(self._start())

    async def wait_started(self) -> None:
        """Return when the worker is loading, or when it is clear that there is no model."""
        self.ensure_started()
        if self._starting is not None:
            await self._starting

    async def _start(self) -> None:
        try:
            await in_database_thread(self._prepare)()
        except (PortalError, DatabaseError) as error:
            self.reason = "the store cannot be used; see the log"
            logger.error("the store failed at the start: %s", where(error))
        if self.reason:
            logger.error("no engine: %s", self.reason)
            return
        self.pool = InferencePool(await tune(self._pool_config(), folder=settings.PORTAL.data_dir))
        await self.pool.start()

    def _prepare(self) -> None:
        """Settle what an earlier process left behind, and check the model file before anything reads it."""
        interrupted = mark_interrupted()
        settle_interrupted()
        record_event(action="portal.start", tenant_id=None, actor=None)
        if interrupted:
            logger.warning("%d answers of an earlier run were marked interrupted", interrupted)
        if settings.PORTAL.engine == "scripted":
            self.model = SCRIPTED_MODEL
            return
        self.artifact = active_artifact()
        if self.artifact is None:
            self.reason = "no model is active; see `manage.py model import`"
            return
        try:
            verify_artifact(self.artifact)
        except ModelError as error:
            self.reason = error.detail
            return
        self.model = ModelInfo(
            name=self.artifact.name,
            digest=self.artifact.sha256,
            context_tokens=min(self.artifact.context_tokens, settings.PORTAL.context_tokens),
            parameters=self.artifact.quantisation,
            is_starter=self.artifact.is_starter,
            architecture=self.artifact.architecture,
        )

    def _pool_config(self) -> PoolConfig:
        portal = settings.PORTAL
        return PoolConfig(
            model_path=self.artifact.path if self.artifact else None,
            model=self.model,
            engine=choose_engine(portal.engine),
            slots=1 if portal.engine == "ctransformers" else portal.slots,
            threads=portal.threads,
            prefix_cache_bytes=portal.prefix_cache_mib << 20,
            memory_bytes=portal.worker_memory_mib << 20,
            max_new_tokens=portal.max_new_tokens,
            wall_time_s=portal.wall_time_s,
            hang_s=portal.hang_s,
            standby=portal.standby,
            recycle_hour=None if portal.recycle_hour < 0 else portal.recycle_hour,
            recycle_turns=portal.recycle_turns,
            soft_bytes=portal.worker_soft_mib << 20,
            scripted_ms=portal.scripted_ms,
            sandbox=portal.sandbox,
            limits=AdmissionLimits(
                rate_per_minute=portal.rate_per_minute,
                running_per_person=portal.running_per_person,
                queue_length=portal.queue_length,
                queue_timeout_s=portal.queue_timeout_s,
            ),
        )

    def ask(self, request: TurnRequest, *, account: User, person: Person) -> LiveTurn:
        """Start a turn and return it; it goes on whether or not anybody follows it."""
        turn = self.turns.open(person)
        engine = Engine(
            pool=None if self._closing else self.pool,
            model=self.model,
            system_prompt=settings.PORTAL.system_prompt,
            max_new_tokens=settings.PORTAL.max_new_tokens,
            temporary=self.temporary,
            live_answers=self.turns.live_answers,
        )
        task = asyncio.get_running_loop().create_task(run_turn(turn, request, account=account, engine=engine))
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._finished(done, turn))
        return turn

    def forget_person(self, account_id: UUID) -> None:
        """Stop the person's turns, forget their temporary conversations, and let the engine drop what it caches."""
        self.turns.forget_person(account_id)
        self.temporary.forget_all(account_id)
        self._forget(Origin(person=str(account_id)))

    def forget_person_soon(self, account_id: UUID) -> None:
        """Do the same, from any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self.forget_person, account_id)

    def forget_conversation(self, conversation_id: UUID, *, account_id: UUID) -> None:
        """Stop the turn that runs in a person's conversation, and let the engine drop what it caches of it."""
        turn = self.turns.running_in(conversation_id, account_id=account_id)
        if turn is not None:
            turn.stop()
        self._drop_cached(conversation_id)

    def forget_conversation_soon(self, conversation_id: UUID, *, account_id: UUID) -> None:
        """Do the same, from any thread."""
        if self._loop is not None:
            act = partial(self.forget_conversation, conversation_id, account_id=account_id)
            self._loop.call_soon_threadsafe(act)

    def _drop_cached(self, conversation_id: UUID) -> None:
        self._forget(Origin(conversation=str(conversation_id)))

    def _forget(self, origin: Origin) -> None:
        if self.pool is not None:
            self.pool.forget(origin)

    async def _listen(self) -> None:
        """Hear of people who sign out or withdraw, and of new notices, whether or not they have a socket."""
        layer = get_channel_layer()
        channel = await layer.new_channel()
        await layer.group_add(RUNTIME_GROUP, channel)
        while True:
            message = await layer.receive(channel)
            if "account" in message:
                self.forget_person(UUID(message["account"]))
            for turn in self.turns.running():
                if str(turn.person.tenant_id) == message.get("tenant"):
                    turn.stop()

    def _finished(self, task: asyncio.Task[None], turn: LiveTurn) -> None:
        self._tasks.discard(task)
        self.turns.close(turn)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            logger.error("a turn broke: %s", where(error))

    async def close(self) -> None:
        """Stop every turn, store what was said, close the sockets as for a restart, end the worker."""
        self._closing = True
        if self._listening is not None:
            self._listening.cancel()
        try:
            await self._say_goodbye()
            await asyncio.to_thread(evaluator().close)
        finally:
            if self.pool is not None:
                await self.pool.close()
            await in_database_thread(record_event)(action="portal.stop", tenant_id=None, actor=None)

    async def _say_goodbye(self) -> None:
        for turn in self.turns.running():
            turn.stop()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=STOP_TIMEOUT_S)
        for socket in list(self.sockets):
            await socket.close(RESTARTING)


@cache
def runtime() -> Runtime:
    """Return this process's runtime."""
    return Runtime()
