"""Serve the models that the registry has in use, and follow it while the server runs.

The registry says which artefacts may run and which of them each organisation uses. What it says is read at the start
and whenever it tells of a change: through the channel layer, or by the time of its stamp file, which is looked at every
WATCH_S without touching the database.

A change is carried out in an order that loses nobody's turn: new models are made ready, then organisations are sent to
them, then those that nobody uses any more finish and leave. A model that does not load changes nothing for those who
use another; one whose file no longer holds stops at once. In the place of both stands what is approved and was in use
besides or before; they are tried again later and later, and at once when their file is written.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError

from audit.services import record_event
from chat.holdback import Holdback, Mending
from chat.plans import CHANGED, Plan, read_plan
from common.errors import PortalError
from common.threads import in_database_thread
from common.tracebacks import where
from inference.admission import AdmissionLimits
from inference.engine import LOAD_ERRORS, ModelInfo
from inference.fleet import Fleet, ModelNotLoaded
from inference.pool import SCRIPTED_MODEL, InferencePool, PoolConfig
from inference.tuning import tune
from registry.models import ModelArtifact, Status
from registry.running import pool_config
from registry.services import stamp_file
from registry.verifying import look_at, note_finding
from tenants.models import Tenant

logger = logging.getLogger("portal.serving")

NO_MODEL = ModelInfo(name="", digest="", context_tokens=0)
WATCH_S = 2.0
# In place of a stamp's time: look at the registry again, whatever the stamp says.
UNREAD = -1.0


class Serving:
    """Own the fleet, and know which organisation is sent to which of its pools.

    All methods belong to the event loop; `model_of`, `pool_of` and the attributes may be read from any thread.
    """

    def __init__(self) -> None:
        self.fleet: Fleet | None = None
        self.is_settled = False
        self.reason = ""
        self.errors: dict[str, str] = {}
        self.artifacts: dict[str, ModelArtifact] = {}
        self.standing_in: frozenset[str] = frozenset()
        self._wanted: dict[UUID | None, str] = {}
        self._holdback = Holdback()
        self._mending = Mending()
        self._awaited: frozenset[str] = frozenset()
        self._failed: frozenset[str] = frozenset()
        self._stopped: tuple[ModelArtifact, ...] = ()
        self._recorded: frozenset[str] = frozenset()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stamp = 0.0

    async def start(self) -> None:
        """Start the pools; return while their models load, or when it is clear that there is none."""
        self.fleet = Fleet(_limits())
        if settings.PORTAL.engine == "scripted":
            await self.fleet.launch(await _tuned(None))
            self._wanted = {None: SCRIPTED_MODEL.digest}
            self.fleet.expect_others(await in_database_thread(_has_many_tenants)())
            self.is_settled = True
            return
        self._stamp = _stamp_time()
        await self._follow_registry(self.fleet)
        self._task = asyncio.create_task(self._follow(self.fleet), name="model changes")
        self._task.add_done_callback(_note_end)

    def note_change(self) -> None:
        """Look at the registry again soon."""
        self._changed.set()

    def pool_of(self, tenant_id: UUID | None) -> InferencePool | None:
        """Return the pool that answers an organisation; None: those that have made no choice."""
        if self.fleet is None:
            return None
        return self.fleet.pools.get(self._wanted.get(tenant_id, self._wanted.get(None, "")))

    @property
    def pools(self) -> tuple[InferencePool, ...]:
        """Return the pools that organisations are sent to, that of those who made no choice first."""
        pools = tuple(self.fleet.pools.values()) if self.fleet is not None else ()
        first = self.pool_of(None)
        return tuple(sorted(pools, key=lambda pool: pool is not first))

    def model_of(self, tenant_id: UUID | None) -> ModelInfo:
        """Return the model that answers an organisation, NO_MODEL if none does."""
        pool = self.pool_of(tenant_id)
        return pool.config.model if pool is not None else NO_MODEL

    async def close(self) -> None:
        """Follow the registry no longer, and close every pool."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self.fleet is not None:
            await self.fleet.close()

    async def _follow(self, fleet: Fleet) -> None:
        """Act on changes: at once where a model must stop, in turn where one must load, which may take minutes."""
        due = asyncio.Event()
        bringing = asyncio.create_task(self._bring_about(fleet, due), name="models that load")
        try:
            while not bringing.done():
                is_told = await self._is_changed()
                if is_told:
                    self._holdback.release(self._holdback.digests, now=_now())
                    await self._try(self._stop_unsound, fleet)
                if is_told or self._is_something_due(fleet):
                    due.set()
            bringing.result()
        finally:
            bringing.cancel()
            await asyncio.wait({bringing})

    def _is_something_due(self, fleet: Fleet) -> bool:
        """Return whether a model failed, may be tried again, or may have been repaired; looks at no database."""
        self._holdback.release_changed(now=_now())
        failed, before = _failed_in(fleet), self._failed
        self._failed = failed
        is_due = bool(self._holdback.due(now=_now()) & self._awaited)
        has_changed = self._mending.look(self._stopped)
        return is_due or has_changed or bool(failed - before)

    async def _bring_about(self, fleet: Fleet, due: asyncio.Event) -> None:
        while True:
            await due.wait()
            due.clear()
            await self._try(self._look_again, fleet)
            await self._try(self._follow_registry, fleet)

    async def _look_again(self, _fleet: Fleet) -> None:
        """Read the files of models that were stopped and may have been repaired; what holds again is told everybody."""
        for artifact in self._mending.waiting:
            finding = await asyncio.to_thread(look_at, artifact)
            await in_database_thread(note_finding)(artifact, finding)
            self._mending.settle(artifact)

    async def _try(self, act: Callable[[Fleet], Awaitable[object]], fleet: Fleet) -> None:
        """Do what needs the registry; where it cannot be read, see to it that somebody tries again."""
        try:
            await act(fleet)
        except (PortalError, DatabaseError) as error:
            logger.error("the models in use could not be read: %s", where(error))
            self._stamp = UNREAD

    async def _is_changed(self) -> bool:
        """Wait for a message, WATCH_S at most, and say whether there was one or the stamp is another."""
        try:
            async with asyncio.timeout(WATCH_S):
                await self._changed.wait()
        except TimeoutError:
            pass
        stamp, before = _stamp_time(), self._stamp
        told = self._changed.is_set()
        self._changed.clear()
        self._stamp = stamp
        return told or stamp != before

    async def _follow_registry(self, fleet: Fleet) -> None:
        """Bring the pools to what the registry says, each model being tried once."""
        plan = await self._stop_unsound(fleet)
        self.artifacts, self._stopped = plan.artifacts, plan.stopped
        self._give_up_failed(fleet, plan)
        self._send(fleet, plan)
        tried: set[str] = set()
        while digest := self._next_to_load(fleet, plan, tried=tried):
            tried.add(digest)
            await self._load(fleet, plan.artifacts[digest])
            self._send(fleet, plan)  # Nobody waits for a model that others use.
        for digest in fleet.pools.keys() - set(self._wanted.values()):
            fleet.drain(digest)
        self._sum_up(fleet, plan)
        fleet.expect_others(len(plan.wanted) > 1)
        self.is_settled = True
        await self._record_who_stands_in()

    def _next_to_load(self, fleet: Fleet, plan: Plan, *, tried: set[str]) -> str:
        """Return what is wanted and does not run, before it what stands in for it; "" if there is nothing to try."""
        out = {"", *fleet.pools, *tried}
        wanted = [wish for wish in plan.wishes.values() if wish not in out]
        left = [tenant for tenant in plan.wishes if self._wanted[tenant] not in fleet.pools]
        instead = [one for tenant in left for one in plan.substitutes.get(tenant, ()) if one not in out]
        free = (one for one in (*wanted, *instead) if not self._holdback.holds(one, now=_now()))
        return next(free, "")

    def _give_up_failed(self, fleet: Fleet, plan: Plan) -> None:
        """Stop the pools that failed for good where something else may answer; it is tried again later."""
        for digest in _failed_in(fleet) & plan.artifacts.keys():
            sent = [tenant for tenant, one in self._wanted.items() if one == digest and tenant in plan.wishes]
            others = {one for tenant in sent for one in plan.candidates(tenant)} - {digest}
            if any(not self._holdback.holds(one, now=_now()) for one in others):
                self._note_failure(plan.artifacts[digest], fleet.pools[digest].last_error)
                fleet.stop(digest)

    def _note_failure(self, artifact: ModelArtifact, reason: str) -> None:
        """Say why a model does not run, and keep it back for a while."""
        self.errors.setdefault(artifact.sha256, reason)  # one that was stopped says so already
        self._holdback.note(artifact.sha256, artifact.path, now=_now())
        logger.error("model %s could not be loaded: %s", artifact.sha256[:12], reason)

    def _sum_up(self, fleet: Fleet, plan: Plan) -> None:
        """Note what is missing and why, and forget the failures of what runs or is not wanted any more."""
        wanted = {*plan.wishes.values()} - {""}
        answering = fleet.pools.keys() - _failed_in(fleet)
        left = [tenant for tenant in plan.wishes if self._wanted[tenant] not in answering]
        instead = {one for tenant in left for one in plan.substitutes.get(tenant, ())}
        self._awaited = frozenset(wanted - fleet.pools.keys()) | instead
        useful = {one for tenant in plan.wishes for one in plan.candidates(tenant)}
        for digest in self._holdback.digests:
            if digest not in useful or (digest in fleet.pools and fleet.pools[digest].state == "ready"):
                self._holdback.forget(digest)
        kept = {*wanted, *self._holdback.digests, *(row.sha256 for row in plan.stopped)}
        self.errors = {digest: text for digest, text in self.errors.items() if digest in kept}
        self.reason = "" if fleet.pools else next(iter(self.errors.values()), plan.reason)

    async def _stop_unsound(self, fleet: Fleet) -> Plan:
        """Stop every model whose file or signature no longer holds, and return what the registry says."""
        plan = await in_database_thread(read_plan)(fleet.digests)
        for digest in plan.unsound:
            self.errors[digest] = CHANGED
            fleet.stop(digest)
        return plan

    async def _load(self, fleet: Fleet, artifact: ModelArtifact) -> None:
        """Start the pool of an artefact. While there is no other, turns wait for it in its queue."""
        self.errors.pop(artifact.sha256, None)
        try:
            await _require_sound(artifact)  # choosing threads loads the model already
            config = await _tuned(artifact)
            await (fleet.add(config) if fleet.pools else fleet.launch(config))
        except ModelNotLoaded as error:
            self._note_failure(artifact, str(error))
        except ValueError:  # No pool can be made of what the file says of itself; the other models go on.
            self._note_failure(artifact, LOAD_ERRORS["model_invalid"])

    def _send(self, fleet: Fleet, plan: Plan) -> None:
        """Send organisations to what they use now; where that is not there, to what they used, if they still may.

        Where it is not to be had for now, to what stands in for it.
        """
        before, self._wanted = self._wanted, {}
        for tenant, wish in plan.wishes.items():
            old, instead = before.get(tenant, before.get(None, "")), plan.substitutes.get(tenant, ())
            stays = (wish or instead) and old in fleet.pools and (tenant, old) in plan.may_stay
            is_held = not wish or self._holdback.holds(wish, now=_now())
            there = [one for one in instead if one in fleet.pools] if is_held else []
            self._wanted[tenant] = wish if wish in fleet.pools else old if stays else next(iter(there), wish)
        self._tell_who_stands_in(plan)

    def _tell_who_stands_in(self, plan: Plan) -> None:
        """Note who answers for what was stopped or did not load; who only waits for the next to load does not count."""
        before, lost = self.standing_in, {"", *self._holdback.digests}
        routed = {
            one
            for tenant, one in self._wanted.items()
            if one and one != plan.wishes[tenant] and plan.wishes[tenant] in lost
        }
        self.standing_in = frozenset(one for one in routed if plan.artifacts[one].status != Status.ACTIVE)
        for digest in self.standing_in - before:
            logger.error("model %s answers in the place of one that cannot run", digest[:12])

    async def _record_who_stands_in(self) -> None:
        """Write who began to stand in into the audit log, once for each time. Raises AuditUnavailable."""
        self._recorded &= self.standing_in
        for digest in self.standing_in - self._recorded:
            await in_database_thread(_record_stand_in)(digest)
            self._recorded |= {digest}


async def _tuned(artifact: ModelArtifact | None) -> PoolConfig:
    verify = (lambda: _verify(artifact)) if artifact else None
    config = replace(pool_config(artifact), limits=_limits(), verify=verify)
    return await tune(config, folder=settings.PORTAL.data_dir)


def _limits() -> AdmissionLimits:
    portal = settings.PORTAL
    return AdmissionLimits(
        rate_per_minute=portal.rate_per_minute,
        running_per_person=portal.running_per_person,
        queue_length=portal.queue_length,
        queue_timeout_s=portal.queue_timeout_s,
    )


async def _verify(artifact: ModelArtifact) -> str:
    """Read the whole file before a worker does; what does not hold is written down, which stops the model."""
    finding = await asyncio.to_thread(look_at, artifact)
    if not finding.detail:
        return ""
    logger.error("model %s is not used: %s", artifact.sha256[:12], finding.detail)
    try:
        await in_database_thread(note_finding)(artifact, finding)
    except (PortalError, DatabaseError) as error:
        logger.error("a model's mismatch could not be recorded: %s", where(error))
    return "model_changed"


async def _require_sound(artifact: ModelArtifact) -> None:
    if code := await _verify(artifact):
        raise ModelNotLoaded(LOAD_ERRORS[code])


def _record_stand_in(digest: str) -> None:
    record_event(
        action="model.stand_in",
        tenant_id=None,
        actor=None,
        object_type="model",
        object_id=digest[:12],
        model_digest=digest,
    )


def _note_end(task: asyncio.Task[None]) -> None:
    """Say so where nobody follows the registry any more."""
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.critical("changes of models are followed no longer: %s", where(error))


def _has_many_tenants() -> bool:
    return Tenant.objects.filter(is_active=True).count() > 1


def _stamp_time() -> float:
    try:
        return stamp_file().stat().st_mtime
    except OSError:
        return 0.0


def _failed_in(fleet: Fleet) -> frozenset[str]:
    return frozenset(digest for digest, pool in fleet.pools.items() if pool.state == "failed")


def _now() -> float:
    return asyncio.get_running_loop().time()
