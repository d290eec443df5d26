"""Serve the models that the registry has in use, and follow it while the server runs.

The registry says which artefacts may run and which of them each organisation uses. What it says is read at the start
and whenever it tells of a change: through the channel layer, or by the time of its stamp file, which is looked at every
WATCH_S without touching the database.

A change is carried out in an order that loses nobody's turn: new models are made ready, then organisations are sent to
them, then those that nobody uses any more finish and leave. A model that does not load changes nothing for those who
use another; one whose file no longer holds stops at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError

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
from registry.services import active_artifacts, is_approved_for, model_of, stamp_file
from registry.verifying import look_at, note_finding
from tenants.models import Tenant

logger = logging.getLogger("portal.serving")

NO_MODEL = ModelInfo(name="", digest="", context_tokens=0)
NO_ACTIVE_MODEL = "no model is active; see `manage.py model import`"
CHANGED = LOAD_ERRORS["model_changed"]
WATCH_S = 2.0
# In place of a stamp's time: look at the registry again, whatever the stamp says.
UNREAD = -1.0


@dataclass(frozen=True, slots=True)
class Plan:
    """Hold what the registry says: artefacts by digest, what each organisation uses, and what the others do.

    `may_stay` names who may go on with a model that runs now, if what is wanted does not load.
    """

    artifacts: dict[str, ModelArtifact] = field(default_factory=dict)
    wanted: dict[UUID, str] = field(default_factory=dict)
    default: str = ""
    may_stay: frozenset[tuple[UUID | None, str]] = frozenset()
    unsound: frozenset[str] = frozenset()
    reason: str = NO_ACTIVE_MODEL


def read_plan(running: frozenset[str]) -> Plan:
    """Return what the registry says now; `running` are the digests that have a pool, those that leave included.

    Only in a database thread.
    """
    tenants = list(Tenant.objects.filter(is_active=True).values_list("id", flat=True))
    active = active_artifacts()
    used = {tenant: model_of(tenant) for tenant in tenants}
    known = {row.sha256: row for row in ModelArtifact.objects.filter(sha256__in=running)}
    general = next((row for row in active if is_approved_for(row, tenant_id=None)), None)
    stay = [row for row in known.values() if row.is_sound and row.status in (Status.ACTIVE, Status.APPROVED)]
    return Plan(
        # Somebody may have activated a model between two of these queries.
        artifacts=known | {row.sha256: row for row in (*active, *filter(None, used.values()))},
        wanted={tenant: row.sha256 if row else "" for tenant, row in used.items()},
        default=general.sha256 if general else "",
        may_stay=frozenset(
            (tenant, row.sha256)
            for row in stay
            for tenant in (None, *tenants)
            if is_approved_for(row, tenant_id=tenant)
        ),
        unsound=running - {row.sha256 for row in known.values() if row.is_sound},
        reason=CHANGED if ModelArtifact.objects.filter(status=Status.ACTIVE).exists() else NO_ACTIVE_MODEL,
    )


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
        self._wanted: dict[UUID | None, str] = {}
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
                if await self._is_changed():
                    await self._try(self._stop_unsound, fleet)
                    due.set()
            bringing.result()
        finally:
            bringing.cancel()
            await asyncio.wait({bringing})

    async def _bring_about(self, fleet: Fleet, due: asyncio.Event) -> None:
        while True:
            await due.wait()
            due.clear()
            await self._try(self._follow_registry, fleet)

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
        """Bring the pools to what the registry says."""
        plan = await self._stop_unsound(fleet)
        self.artifacts = plan.artifacts
        wanted = {*plan.wanted.values(), plan.default} - {""}
        self._send(fleet, plan)
        for digest in sorted(wanted - fleet.pools.keys(), key=lambda digest: digest != plan.default):
            await self._load(fleet, plan.artifacts[digest])
            self._send(fleet, plan)  # Nobody waits for a model that others use.
        for digest in fleet.pools.keys() - set(self._wanted.values()):
            fleet.drain(digest)
        self.errors = {
            digest: text for digest, text in self.errors.items() if digest in wanted or text == CHANGED
        }
        self.reason = "" if fleet.pools else next(iter(self.errors.values()), plan.reason)
        fleet.expect_others(len(plan.wanted) > 1)
        self.is_settled = True

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
            self.errors.setdefault(artifact.sha256, str(error))  # one that was stopped says so already
            logger.error("model %s could not be loaded: %s", artifact.sha256[:12], error)
        except ValueError:  # No pool can be made of what the file says of itself; the other models go on.
            self.errors.setdefault(artifact.sha256, LOAD_ERRORS["model_invalid"])
            logger.error("model %s could not be loaded: no pool can be made for it", artifact.sha256[:12])

    def _send(self, fleet: Fleet, plan: Plan) -> None:
        """Send organisations to what they use now; where that is not there, to what they used, if they still may."""
        before, self._wanted = self._wanted, {}
        for tenant, digest in ((None, plan.default), *plan.wanted.items()):
            old = before.get(tenant, before.get(None, ""))
            stays = digest not in fleet.pools and old in fleet.pools and (tenant, old) in plan.may_stay
            self._wanted[tenant] = old if digest and stays else digest


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
