"""Hold what runs in this process: the pool, the turns, the temporary conversations."""

from __future__ import annotations

import asyncio
import logging
from functools import cache, partial
from typing import Literal, Protocol
from uuid import UUID

from channels.layers import get_channel_layer
from django.conf import settings
from django.db import DatabaseError

from accounts.live import PARAMETERS_CHANGED, RUNTIME_GROUP, SESSION_ENDED, hear_word
from accounts.models import User
from audit.services import record_event
from chat.budgets import FrameBudget
from chat.conversations import mark_interrupted
from chat.pipeline import Engine, run_turn
from chat.requests import Person, TurnRequest
from chat.serving import Serving
from chat.temporary import TemporaryConversations
from chat.turns import LiveTurn, Turns
from common.errors import PortalError
from common.threads import in_database_thread
from common.tracebacks import where
from crypto.keyring import keyring
from inference.engine import ModelInfo, Origin
from inference.pool import InferencePool
from policy.announcing import POLICY_CHANGED
from policy.serving import rule_sets
from registry.evaluating import settle_interrupted
from registry.evaluator import evaluator
from registry.models import ModelArtifact
from registry.services import MODELS_CHANGED
from tenants.values import forget_values

logger = logging.getLogger("portal.runtime")

STOP_TIMEOUT_S = 5
RESTARTING = 1012
ASKS_AT_ONCE, ASKS_PER_SECOND = 30, 2


Readiness = Literal["ok", "stand-in", "partly", "unavailable"]


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
        self.serving = Serving()
        self._failure = ""
        self.sockets: dict[Socket, UUID] = {}
        self._asks: dict[UUID, FrameBudget] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._starting: asyncio.Task[None] | None = None
        self._listening: list[asyncio.Task[None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing = False

    @property
    def state(self) -> str:
        """Return the default pool's state; "starting" before there is a pool, "failed" without a model."""
        return self.state_for(None)

    def state_for(self, tenant_id: UUID | None) -> str:
        """Return the state of the pool that answers an organisation; None: of the default one."""
        pool = self.serving.pool_of(tenant_id)
        if pool is not None:
            return pool.state
        return "failed" if self.reason or self.serving.is_settled else "starting"

    @property
    def readiness(self) -> Readiness:
        """Return whether every model in use answers, or another in its place, or only some: the others' people wait."""
        answering = [pool.state == "ready" for pool in self.serving.pools]
        if not any(answering):
            return "unavailable"
        if not (all(answering) and self.serving.is_settled):
            return "partly"
        return "stand-in" if self.serving.standing_in else "ok"

    @property
    def pool(self) -> InferencePool | None:
        """Return the pool for those who have made no choice, None while there is none."""
        return self.serving.pool_of(None)

    @property
    def model(self) -> ModelInfo:
        """Return the model of that pool, NO_MODEL while there is none."""
        return self.serving.model_of(None)

    @property
    def artifact(self) -> ModelArtifact | None:
        """Return the artefact of that model."""
        return self.serving.artifacts.get(self.model.digest)

    @property
    def reason(self) -> str:
        """Return why there is no engine at all, "" while there is one or it is not settled yet."""
        return self._failure or self.serving.reason

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
            self._listening = [self._loop.create_task(each) for each in (self._listen(), hear_word())]
            self._starting = self._loop.create_task(self._start())

    async def wait_started(self) -> None:
        """Return when the worker is loading, or when it is clear that there is no model."""
        self.ensure_started()
        if self._starting is not None:
            await self._starting

    async def _start(self) -> None:
        try:
            await in_database_thread(self._prepare)()
            await self.serving.start()
        except (PortalError, DatabaseError) as error:
            self._failure = "the store cannot be used; see the log"
            logger.error("the store failed at the start: %s", where(error))
        if self.reason:
            logger.error("no engine: %s", self.reason)

    def _prepare(self) -> None:
        """Settle what an earlier process left behind."""
        interrupted = mark_interrupted()
        settle_interrupted()
        record_event(action="portal.start", tenant_id=None, actor=None)
        if interrupted:
            logger.warning("%d answers of an earlier run were marked interrupted", interrupted)

    def ask(self, request: TurnRequest, *, account: User, person: Person) -> LiveTurn:
        """Start a turn and return it; it goes on whether or not anybody follows it."""
        turn = self.turns.open(person)
        engine = Engine(
            choose=self._choose_pool,
            system_prompt=settings.PORTAL.system_prompt,
            temporary=self.temporary,
            live_answers=self.turns.live_answers,
        )
        task = asyncio.get_running_loop().create_task(run_turn(turn, request, account=account, engine=engine))
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._finished(done, turn))
        return turn

    def _choose_pool(self, tenant_id: UUID) -> InferencePool | None:
        return None if self._closing else self.serving.pool_of(tenant_id)

    def forget_person(self, account_id: UUID) -> None:
        """Stop the person's turns, forget their temporary conversations, and let the engine drop what it caches."""
        self.turns.forget_person(account_id)
        self.temporary.forget_all(account_id)
        self._forget(Origin(person=str(account_id)))

    def forget_session(self, digest: str) -> None:
        """Stop the turns that were begun in a session, and forget its temporary conversations."""
        self.turns.forget_session(digest)
        self.temporary.forget_session(digest)

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
        if self.serving.fleet is not None:
            self.serving.fleet.forget(origin)

    async def _listen(self) -> None:
        """Hear of people who sign out or withdraw, and of new notices, whether or not they have a socket."""
        layer = get_channel_layer()
        channel = await layer.new_channel()
        await layer.group_add(RUNTIME_GROUP, channel)
        while True:
            message = await layer.receive(channel)
            if message["type"] == MODELS_CHANGED:
                self.serving.note_change()
            if message["type"] == PARAMETERS_CHANGED:
                forget_values()
            if message["type"] == POLICY_CHANGED:
                self._refresh_rules()
            if "session" in message:
                self.forget_session(message["session"])
            elif "account" in message:
                self.forget_person(UUID(message["account"]))
            if "tenant" in message:
                self._leave_tenant(UUID(message["tenant"]), for_good=message["type"] == SESSION_ENDED)

    def _leave_tenant(self, tenant_id: UUID, *, for_good: bool) -> None:
        """Stop the turns of an organisation; where nobody of it may stay, forget what is kept of them, too."""
        for turn in self.turns.running():
            if turn.person.tenant_id == tenant_id:
                if for_good:
                    self.forget_person(turn.person.account_id)
                turn.stop()
        if for_good:
            self._forget(Origin(tenant=str(tenant_id)))
            keyring.forget()

    def _refresh_rules(self) -> None:
        """Put the rules of the organisations together that had turns here, before their next one asks for them."""
        rule_sets().note_change()
        task = asyncio.get_running_loop().create_task(rule_sets().refresh())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _finished(self, task: asyncio.Task[None], turn: LiveTurn) -> None:
        self._tasks.discard(task)
        self.turns.close(turn)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            logger.error("a turn broke: %s", where(error))

    async def close(self) -> None:
        """Stop every turn, store what was said, close the sockets as for a restart, end the worker."""
        self._closing = True
        for task in self._listening:
            task.cancel()
        try:
            await self._say_goodbye()
            await asyncio.to_thread(evaluator().close)
        finally:
            await self.serving.close()
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
