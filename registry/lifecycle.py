"""Lead an artefact through its life: evaluated, submitted, approved by a second person, in use, retired.

`by` is who acts; None is the terminal of the embedded default, which has no people to tell apart. Every act checks the
person's permission (PermissionMissing), is one transaction with its audit event, and records refusals too.
"""

from __future__ import annotations

from enum import Enum
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from accounts.models import User
from accounts.roles import MODEL_APPROVE, MODEL_MANAGE
from common import clock
from common.access import PermissionMissing
from registry.announcing import announce_change
from registry.errors import (
    AlreadyDecided,
    NothingBefore,
    PersonNeeded,
    ReasonNeeded,
    SecondPersonNeeded,
    SignatureNeeded,
    WaiverRefused,
    WrongStatus,
)
from registry.history import act, remember
from registry.models import (
    TRANSITIONS,
    UNSUBMITTED,
    Decision,
    EventKind,
    ModelApproval,
    ModelArtifact,
    SignatureState,
    Status,
)
from registry.verifying import verify_artifact

DECIDABLE = frozenset({Status.SUBMITTED, Status.APPROVED, Status.ACTIVE})


class Activation(Enum):
    """Whether a model takes the place of those in use, or runs beside them."""

    REPLACE = "replace"
    BESIDE = "beside"


def mark_evaluated(artifact: ModelArtifact, *, thresholds_missed: int, by: User | None) -> None:
    """Note that an evaluation was stored, and how many thresholds it missed; what was submitted stays as it is.

    The caller stores the results in the same transaction. Raises WrongStatus for a retired artefact.
    """
    with act(EventKind.EVALUATE, artifact, by=by):
        _require(by, MODEL_MANAGE)
        row = _locked(artifact)
        if row.status == Status.RETIRED:
            raise WrongStatus(row.status)
        if row.status in UNSUBMITTED or is_only_waived(row):
            row.thresholds_missed = thresholds_missed
            _move(
                row,
                Status.EVALUATED if row.status in UNSUBMITTED else Status(row.status),
                "thresholds_missed",
            )
        remember(EventKind.EVALUATE, row, by=by)
    _refresh(artifact)


def submit(artifact: ModelArtifact, *, by: User, reason: str = "") -> None:
    """Ask for approval. Missed thresholds need a reason; production a signature or a digest of the catalogue.

    What was only waived so far can be submitted too, and is out of use until somebody approves it.
    Raises WrongStatus, ReasonNeeded, SignatureNeeded, PermissionMissing.
    """
    with act(EventKind.SUBMIT, artifact, by=by):
        _require(by, MODEL_MANAGE)
        row = _locked(artifact)
        if row.status != Status.EVALUATED and not (is_only_waived(row) and _was_evaluated(row)):
            raise WrongStatus(row.status)
        _require_reason(row, reason)
        _require_origin(row)
        row.submitted_by, row.submitted_at = by.id, clock.now()
        _move(row, Status.SUBMITTED, "submitted_by", "submitted_at")
        remember(EventKind.SUBMIT, row, by=by, reason=reason)
    _refresh(artifact)


def approve(artifact: ModelArtifact, *, by: User, reason: str = "") -> None:
    """Approve as the second person: an operator for the installation, an officer for the own organisation.

    Raises SecondPersonNeeded for the submitter, WrongStatus, AlreadyDecided, ReasonNeeded.
    """
    with act(EventKind.APPROVE, artifact, by=by):
        row = _decidable(artifact, by=by)
        _require_reason(row, reason)
        _require_origin(row)
        if latest_decision(row, tenant_id=by.tenant_id) == Decision.APPROVE:
            raise AlreadyDecided
        _decide(row, Decision.APPROVE, by=by, reason=reason)
        if row.status == Status.SUBMITTED:
            _move(row, Status.APPROVED)
        remember(EventKind.APPROVE, row, by=by, tenant_id=by.tenant_id, reason=reason)
        announce_change()
    _refresh(artifact)


def reject(artifact: ModelArtifact, *, by: User, reason: str) -> None:
    """Reject, with a reason: an operator what waits for approval, an officer for the own organisation at any time.

    An organisation's rejection outweighs every approval there. Raises SecondPersonNeeded, WrongStatus, AlreadyDecided,
    ReasonNeeded.
    """
    with act(EventKind.REJECT, artifact, by=by):
        row = _decidable(artifact, by=by)
        if not reason.strip():
            raise ReasonNeeded
        if by.tenant_id is None and row.status != Status.SUBMITTED:
            raise WrongStatus(row.status)
        if latest_decision(row, tenant_id=by.tenant_id) == Decision.REJECT:
            raise AlreadyDecided
        _decide(row, Decision.REJECT, by=by, reason=reason)
        if by.tenant_id is None:
            _move(row, Status.REJECTED)
        remember(EventKind.REJECT, row, by=by, tenant_id=by.tenant_id, reason=reason)
        announce_change()
    _refresh(artifact)


def waive(artifact: ModelArtifact, *, reason: str) -> None:
    """Do without a second person, visibly, on the embedded default. Raises WaiverRefused in production."""
    with act(EventKind.WAIVE, artifact, by=None):
        if settings.PORTAL.mode == "production":
            raise WaiverRefused
        row = _locked(artifact)
        if row.status not in {Status.IMPORTED, Status.EVALUATED, Status.SUBMITTED}:
            raise WrongStatus(row.status)
        ModelApproval(artifact=row, decision=Decision.WAIVE, reason=reason).save(force_insert=True)
        _move(row, Status.APPROVED)
        remember(EventKind.WAIVE, row, by=None, reason=reason)
    _refresh(artifact)


def activate(
    artifact: ModelArtifact, *, by: User | None, activation: Activation = Activation.REPLACE
) -> None:
    """Put an approved artefact into use; one that is in use already becomes the first choice.

    What only organisations have approved runs beside the others, which are theirs to keep. Raises WrongStatus;
    ModelError when file or signature no longer hold; WaiverRefused in production for what was only waived.
    """
    verify_artifact(artifact)
    with act(EventKind.ACTIVATE, artifact, by=by):
        _require(by, MODEL_MANAGE)
        row = _locked(artifact)
        if row.status not in {Status.APPROVED, Status.ACTIVE}:
            raise WrongStatus(row.status)
        decision = latest_decision(row, tenant_id=None)
        if decision == Decision.WAIVE and settings.PORTAL.mode == "production":
            raise WaiverRefused
        before = _first_active()
        if activation is Activation.REPLACE and decision in {Decision.APPROVE, Decision.WAIVE}:
            _stand_down(ModelArtifact.objects.filter(status=Status.ACTIVE).exclude(pk=row.pk))
        _put_into_use(row)
        other = before if before is not None and before.pk != row.pk else None
        remember(EventKind.ACTIVATE, row, by=by, other=other)
        announce_change()
    _refresh(artifact)


def rollback(*, by: User | None, reason: str) -> ModelArtifact:
    """Put the artefact back that was in use before the newest one, and return it.

    Raises NothingBefore, ReasonNeeded; ModelError when its file or signature no longer hold.
    """
    current, target = _first_active(), rollback_target()
    if target is not None:
        verify_artifact(target)
    with act(EventKind.ROLLBACK, target, by=by):
        _require(by, MODEL_MANAGE)
        if not reason.strip():
            raise ReasonNeeded
        if target is None or current is None or (current, target) != (_first_active(), rollback_target()):
            raise NothingBefore
        row, replaced = _locked(target), _locked(current)
        replaced.activated_at = None
        _move(replaced, Status.APPROVED, "activated_at")
        _put_into_use(row)
        remember(EventKind.ROLLBACK, row, by=by, reason=reason, other=replaced)
        announce_change()
    return row


def rollback_target() -> ModelArtifact | None:
    """Return what a roll back would put back: used last before the newest one, and still usable; or None.

    What answers everybody is not replaced by what only one organisation may use.
    """
    current = _first_active()
    if current is None:
        return None
    for_all = is_approved_for_all(current)
    used = ModelArtifact.objects.filter(
        status__in=(Status.ACTIVE, Status.APPROVED), activated_at__isnull=False
    ).exclude(pk=current.pk)
    fitting = (
        row
        for row in used.order_by("-activated_at")
        if is_approved_for_all(row) or not (for_all or is_only_waived(row))
    )
    return next(fitting, None)


def retire(artifact: ModelArtifact, *, by: User | None, reason: str) -> None:
    """End an artefact's use for good. Raises ReasonNeeded, and WrongStatus for what is retired."""
    with act(EventKind.RETIRE, artifact, by=by):
        _require(by, MODEL_MANAGE)
        row = _locked(artifact)
        if not reason.strip():
            raise ReasonNeeded
        _move(row, Status.RETIRED)
        remember(EventKind.RETIRE, row, by=by, reason=reason)
        announce_change()
    _refresh(artifact)


def latest_decision(artifact: ModelArtifact, *, tenant_id: UUID | None) -> str | None:
    """Return what one side decided last: an organisation, or, with None, the installation.

    What was decided before the last submission lapses, but an organisation's rejection stands until it decides anew.
    """
    last: ModelApproval | None = artifact.approvals.filter(tenant_id=tenant_id).order_by("-at", "-id").first()
    if last is None:
        return None
    lapsed = artifact.submitted_at is not None and last.at < artifact.submitted_at
    if lapsed and not (tenant_id and last.decision == Decision.REJECT):
        return None
    return last.decision


def is_approved_for_all(artifact: ModelArtifact) -> bool:
    """Return whether the artefact is approved for the installation; in production a waiver is no approval."""
    decision = latest_decision(artifact, tenant_id=None)
    return decision == Decision.APPROVE or (
        decision == Decision.WAIVE and settings.PORTAL.mode != "production"
    )


def is_only_waived(artifact: ModelArtifact) -> bool:
    """Return whether nobody but the embedded default itself stands for this artefact."""
    return (
        artifact.status in {Status.APPROVED, Status.ACTIVE}
        and latest_decision(artifact, tenant_id=None) == Decision.WAIVE
    )


def _decidable(artifact: ModelArtifact, *, by: User) -> ModelArtifact:
    _require(by, MODEL_APPROVE)
    row = _locked(artifact)
    if row.submitted_by == by.id:
        raise SecondPersonNeeded
    if row.status not in DECIDABLE:
        raise WrongStatus(row.status)
    if row.submitted_by is None:  # A waiver has no first person.
        raise WrongStatus("waived")
    return row


def _decide(row: ModelArtifact, decision: Decision, *, by: User, reason: str) -> None:
    ModelApproval(
        artifact=row,
        account_id=by.id,
        role=by.role,
        tenant_id=by.tenant_id,
        decision=decision,
        reason=reason.strip(),
    ).save(force_insert=True)


def _require(by: User | None, permission: str) -> None:
    if by is None:
        if settings.PORTAL.mode == "production":
            raise PersonNeeded
    elif not by.has_permission(permission):
        raise PermissionMissing(permission)


def _was_evaluated(row: ModelArtifact) -> bool:
    return bool(row.events.filter(kind=EventKind.EVALUATE).exists())


def _require_reason(row: ModelArtifact, reason: str) -> None:
    if row.thresholds_missed and not reason.strip():
        raise ReasonNeeded


def _require_origin(row: ModelArtifact) -> None:
    """In production, and wherever the settings say so, somebody must vouch for the file."""
    if row.signature_state == SignatureState.REVOKED:
        raise SignatureNeeded
    if settings.PORTAL.model_signatures == "required" and not (
        row.signature_state == SignatureState.VALID or row.catalogue_key
    ):
        raise SignatureNeeded


def _locked(artifact: ModelArtifact) -> ModelArtifact:
    """Return the row as it is now, locked until the transaction ends."""
    row: ModelArtifact = ModelArtifact.objects.select_for_update().get(pk=artifact.pk)
    return row


def _move(row: ModelArtifact, status: Status, *fields: str) -> None:
    if status != row.status and status not in TRANSITIONS[row.status]:
        raise WrongStatus(row.status)
    if status == row.status == Status.RETIRED:
        raise WrongStatus(row.status)
    row.status = status
    row.save(update_fields=["status", *fields])


def _put_into_use(row: ModelArtifact) -> None:
    row.activated_at = clock.now()
    _move(row, Status.ACTIVE, "activated_at")


def _stand_down(rows: QuerySet[ModelArtifact]) -> None:
    """Take out of use what the whole installation was given; what only an organisation approved is its own."""
    for row in rows:
        if latest_decision(row, tenant_id=None) in {Decision.APPROVE, Decision.WAIVE}:
            _move(row, Status.APPROVED)


def _first_active() -> ModelArtifact | None:
    row: ModelArtifact | None = (
        ModelArtifact.objects.filter(status=Status.ACTIVE).order_by("-activated_at").first()
    )
    return row


def _refresh(artifact: ModelArtifact) -> None:
    artifact.refresh_from_db()
