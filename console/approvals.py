"""Say who has signed for an artefact, who still has to, and what the viewer may do about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from console.artifacts import Artifact, Mark, show_artifact
from console.evaluations import Evaluation
from console.viewers import Viewer, names_of
from registry.choosing import is_approved_for
from registry.lifecycle import DECIDABLE, latest_decision
from registry.models import Decision, ModelApproval, ModelArtifact, Status
from tenants.models import Tenant


@dataclass(frozen=True, slots=True)
class Eye:
    """One of the two pairs of eyes."""

    tone: str
    title: str
    detail: str
    is_signed: bool


@dataclass(frozen=True, slots=True)
class Candidate:
    """An artefact that waits for the second person, as the viewer meets it; `typed` and `error` are a form's."""

    artifact: Artifact
    evaluation: Evaluation | None
    badge: str
    eyes: tuple[Eye, Eye]
    may_approve: bool
    may_reject: bool
    needs_reason: bool
    why_not: str
    submit_reason: str
    typed: str = ""
    error: str = ""

    @property
    def may_decide(self) -> bool:
        """Return whether there is anything that the viewer can do."""
        return self.may_approve or self.may_reject


@dataclass(frozen=True, slots=True)
class Decided:
    """One decision as it stands in the list."""

    mark: Mark
    detail: str
    reason: str
    at: datetime


def waiting_for(viewer: Viewer) -> list[ModelArtifact]:
    """Return what waits for the viewer's signature, the newest first."""
    if not viewer.may_approve:
        return []
    rows = viewer.artifacts().filter(status__in=DECIDABLE)
    if viewer.tenant_id is None:
        rows = rows.filter(status=Status.SUBMITTED)
    return [row for row in rows if _is_open(row, viewer)]


def may_approve(row: ModelArtifact, viewer: Viewer) -> bool:
    """Return whether the registry would let the viewer approve now."""
    return _may_sign(row, viewer) and latest_decision(row, tenant_id=viewer.tenant_id) != Decision.APPROVE


def may_reject(row: ModelArtifact, viewer: Viewer) -> bool:
    """Return whether the registry would let the viewer reject now."""
    is_open = viewer.tenant_id is not None or row.status == Status.SUBMITTED
    last = latest_decision(row, tenant_id=viewer.tenant_id)
    return is_open and _may_sign(row, viewer) and last != Decision.REJECT


def show_candidate(
    row: ModelArtifact, viewer: Viewer, *, evaluation: Evaluation | None, typed: str = "", error: str = ""
) -> Candidate:
    """Return an artefact as one that waits for the second person."""
    names = names_of([row.submitted_by])
    return Candidate(
        artifact=show_artifact(row),
        evaluation=evaluation,
        badge=_("1 of 2 signed"),
        eyes=(_submitter(row, names), _approver(row, viewer)),
        may_approve=may_approve(row, viewer),
        may_reject=may_reject(row, viewer),
        needs_reason=row.thresholds_missed > 0,
        why_not=_why_not(row, viewer),
        submit_reason=_submit_reason(row),
        typed=typed,
        error=error,
    )


def decisions_on(row: ModelArtifact, viewer: Viewer) -> list[Decided]:
    """Return what was decided, the newest first: for an organisation without what others decided for themselves."""
    rows = list(ModelApproval.objects.filter(artifact=row).order_by("-at", "-id"))
    if viewer.tenant_id is not None:
        rows = [decided for decided in rows if decided.tenant_id in (None, viewer.tenant_id)]
    names = names_of(decided.account_id for decided in rows)
    houses = dict(Tenant.objects.values_list("pk", "name"))
    return [_decided(decided, names=names, houses=houses) for decided in rows]


def _decided(row: ModelApproval, *, names: dict[UUID, str], houses: dict[UUID, str]) -> Decided:
    who = person(row.account_id, names)
    where = houses.get(row.tenant_id, "") if row.tenant_id else _("for the installation")
    return Decided(_mark(row.decision), " · ".join(filter(None, (who, where))), row.reason, row.at)


def _mark(decision: str) -> Mark:
    return {
        Decision.APPROVE: Mark("ok", _("Approved")),
        Decision.REJECT: Mark("danger", _("Rejected")),
        Decision.WAIVE: Mark("warn", _("Approval waived")),
    }[Decision(decision)]


def person(account_id: UUID | None, names: dict[UUID, str]) -> str:
    """Return a person's name; None is the terminal of this server."""
    return names.get(account_id, _("a former account")) if account_id else _("terminal")


def _may_sign(row: ModelArtifact, viewer: Viewer) -> bool:
    """Return whether the viewer is a second person; what nobody has submitted has no first one."""
    is_second = row.submitted_by is not None and row.submitted_by != viewer.account.pk
    return viewer.may_approve and row.status in DECIDABLE and is_second


def _is_open(row: ModelArtifact, viewer: Viewer) -> bool:
    """Return whether the viewer's side has still to decide: not what it has rejected, nor what it may use anyway."""
    if not may_approve(row, viewer) or latest_decision(row, tenant_id=viewer.tenant_id) is not None:
        return False
    return row.status == Status.SUBMITTED or not is_approved_for(row, tenant_id=viewer.tenant_id)


def _submitter(row: ModelArtifact, names: dict[UUID, str]) -> Eye:
    when = date_format(localtime(row.submitted_at), "m-d H:i") if row.submitted_at else ""
    title = _("Submitted by %(name)s") % {"name": person(row.submitted_by, names)}
    return Eye("ok", title, f"{_('Operator')} · {when}", is_signed=True)


def _approver(row: ModelArtifact, viewer: Viewer) -> Eye:
    name = {"name": viewer.account.display_name}
    detail = _("You (%(name)s) may approve.") % name if may_approve(row, viewer) else _("Not signed yet.")
    return Eye("warn", _("Approver: has to be another person"), detail, is_signed=False)


def _why_not(row: ModelArtifact, viewer: Viewer) -> str:
    if row.submitted_by == viewer.account.pk:
        return _("You submitted this artefact; another operator or a security officer decides on it.")
    if not viewer.may_approve:
        return _("Another operator or a security officer decides on it.")
    return _("This has been decided already.")


def _submit_reason(row: ModelArtifact) -> str:
    said: str = (
        row.events.filter(kind="submit").order_by("-at", "-id").values_list("reason", flat=True).first() or ""
    )
    return said
