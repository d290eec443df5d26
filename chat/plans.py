"""Read from the registry which models shall run, and which may answer in the place of one that does not."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from inference.engine import LOAD_ERRORS
from registry.models import ModelArtifact, Status
from registry.services import active_artifacts, is_approved_for, model_of
from tenants.models import Tenant

NO_ACTIVE_MODEL = "no model is active; see `manage.py model import`"
CHANGED = LOAD_ERRORS["model_changed"]


@dataclass(frozen=True, slots=True)
class Plan:
    """Hold what the registry says: artefacts by digest, what each organisation uses, and what the others do.

    `may_stay` names who may go on with a model that runs now, if what is wanted does not load; `substitutes` what may
    be started in its place, the best first: what else is in use, then what a roll back would put back. They stand for
    something that is in use only: where nothing is, nothing runs. `stopped` are artefacts in use whose file or
    signature no longer holds.
    """

    artifacts: dict[str, ModelArtifact] = field(default_factory=dict)
    wanted: dict[UUID, str] = field(default_factory=dict)
    default: str = ""
    substitutes: dict[UUID | None, tuple[str, ...]] = field(default_factory=dict)
    may_stay: frozenset[tuple[UUID | None, str]] = frozenset()
    unsound: frozenset[str] = frozenset()
    stopped: tuple[ModelArtifact, ...] = ()
    reason: str = NO_ACTIVE_MODEL

    @property
    def wishes(self) -> dict[UUID | None, str]:
        """Return what each organisation uses, and under None what those use that have made no choice; first."""
        general: dict[UUID | None, str] = {None: self.default}
        return general | dict(self.wanted.items())

    def candidates(self, tenant: UUID | None) -> tuple[str, ...]:
        """Return what may answer an organisation, what it uses first."""
        wish = self.wishes.get(tenant, "")
        return (*((wish,) if wish else ()), *self.substitutes.get(tenant, ()))


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
    in_use = list(ModelArtifact.objects.filter(status=Status.ACTIVE))
    standing_by = [*active, *_used_before()]
    return Plan(
        # Somebody may have activated a model between two of these queries.
        artifacts=known | {row.sha256: row for row in (*standing_by, *filter(None, used.values()))},
        wanted={tenant: row.sha256 if row else "" for tenant, row in used.items()},
        default=general.sha256 if general else "",
        substitutes={tenant: _substitutes(standing_by, in_use, tenant) for tenant in (None, *tenants)},
        may_stay=frozenset(
            (tenant, row.sha256)
            for row in stay
            for tenant in (None, *tenants)
            if is_approved_for(row, tenant_id=tenant)
        ),
        unsound=running - {row.sha256 for row in known.values() if row.is_sound},
        stopped=tuple(row for row in in_use if not row.is_sound),
        reason=CHANGED if in_use else NO_ACTIVE_MODEL,
    )


def stand_ins() -> list[ModelArtifact]:
    """Return what stands in, as far as the registry can tell: for models in use that were stopped."""
    plan = read_plan(frozenset())
    left = [tenant for tenant, wish in plan.wishes.items() if not wish]
    first = dict.fromkeys(one for tenant in left for one in plan.substitutes.get(tenant, ())[:1])
    return [plan.artifacts[digest] for digest in first]


def _used_before() -> list[ModelArtifact]:
    """Return what was in use once, is approved still and was not rolled back from: the latest first."""
    used = ModelArtifact.objects.filter(status=Status.APPROVED, activated_at__isnull=False)
    return [row for row in used.order_by("-activated_at") if row.is_sound]


def _substitutes(
    standing_by: list[ModelArtifact], in_use: list[ModelArtifact], tenant: UUID | None
) -> tuple[str, ...]:
    if not any(is_approved_for(row, tenant_id=tenant) for row in in_use):
        return ()
    return tuple(row.sha256 for row in standing_by if is_approved_for(row, tenant_id=tenant))
