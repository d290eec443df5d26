"""Tell what happened to the artefacts, newest first, as a line of steps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils.translation import gettext as _

from console.approvals import person
from console.viewers import Viewer, names_of
from registry.history import TimelineRow, timeline
from registry.models import EventKind, ModelArtifact, Status
from tenants.models import Tenant

# The page of all artefacts tells only what changed which models may run.
TURNING_POINTS = frozenset(EventKind) - {EventKind.IMPORT, EventKind.EVALUATE, EventKind.CHOOSE}
TONES = {
    EventKind.IMPORT: "mute",
    EventKind.EVALUATE: "info",
    EventKind.SUBMIT: "warn",
    EventKind.APPROVE: "ok",
    EventKind.REJECT: "danger",
    EventKind.WAIVE: "warn",
    EventKind.ACTIVATE: "ok",
    EventKind.ROLLBACK: "danger",
    EventKind.RETIRE: "danger",
    EventKind.MISMATCH: "danger",
    EventKind.CHOOSE: "info",
}
FILLED = frozenset({EventKind.ACTIVATE, EventKind.ROLLBACK, EventKind.MISMATCH})
SHOWN = 12


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what, who, why, when; `is_in_use` marks the one by which a model runs now."""

    tone: str
    title: str
    detail: str
    reason: str
    at: datetime
    is_filled: bool
    is_in_use: bool


def steps_of_all(viewer: Viewer, visible: Iterable[ModelArtifact]) -> list[Step]:
    """Return the last turning points of the artefacts that exist for the viewer."""
    ids = {row.pk for row in visible}
    rows = timeline(tenant_id=viewer.tenant_id, limit=200)
    kept = [row for row in rows if row.artifact.pk in ids and row.kind in TURNING_POINTS]
    return _steps(kept[:SHOWN])


def steps_of(artifact: ModelArtifact, viewer: Viewer) -> list[Step]:
    """Return everything that happened to one artefact."""
    return _steps(timeline(artifact=artifact, tenant_id=viewer.tenant_id))


def _steps(rows: list[TimelineRow]) -> list[Step]:
    names = names_of(row.account_id for row in rows)
    houses = dict(Tenant.objects.values_list("pk", "name"))
    in_use = _last_starts(rows)
    return [
        Step(
            tone=TONES[EventKind(row.kind)],
            title=_title(row),
            detail=_detail(row, names=names, houses=houses),
            reason=row.reason,
            at=row.at,
            is_filled=row.kind in FILLED,
            is_in_use=at in in_use,
        )
        for at, row in enumerate(rows)
    ]


def _last_starts(rows: list[TimelineRow]) -> set[int]:
    """Return where the artefacts that are in use began to be."""
    found: dict[UUID, int] = {}
    for at, row in enumerate(rows):
        if row.kind in {EventKind.ACTIVATE, EventKind.ROLLBACK} and row.artifact.status == Status.ACTIVE:
            found.setdefault(row.artifact.pk, at)
    return set(found.values())


def _detail(row: TimelineRow, *, names: dict[UUID, str], houses: dict[UUID, str]) -> str:
    house = houses.get(row.tenant_id, "") if row.tenant_id else ""
    return " · ".join(filter(None, (person(row.account_id, names), house)))


def _title(row: TimelineRow) -> str:
    label = {"label": row.artifact.label, "other": row.other.label if row.other else "—"}
    titles = {
        EventKind.IMPORT: _("%(label)s imported"),
        EventKind.EVALUATE: _("%(label)s evaluated"),
        EventKind.SUBMIT: _("%(label)s submitted for approval"),
        EventKind.APPROVE: _("%(label)s approved"),
        EventKind.REJECT: _("%(label)s rejected"),
        EventKind.WAIVE: _("Approval of %(label)s waived"),
        EventKind.ACTIVATE: _("%(label)s activated"),
        EventKind.ROLLBACK: _("%(other)s → %(label)s rolled back"),
        EventKind.RETIRE: _("%(label)s retired"),
        EventKind.MISMATCH: _("%(label)s stopped: file or signature no longer holds"),
        EventKind.CHOOSE: _("%(label)s chosen by an organisation"),
    }
    return titles[EventKind(row.kind)] % label
