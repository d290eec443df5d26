"""Lead a rule set through its life: tried, submitted, approved by a second person, published, rolled back.

All in the scope of the organisation; every act checks the person's permission (PermissionMissing), is one transaction
with its audit event, and records refusals too.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Max

from accounts.models import User
from accounts.roles import POLICY_APPROVE, POLICY_EDIT
from common import clock
from policy.announcing import announce_rules
from policy.drafts import write_layer
from policy.errors import (
    DraftOutdated,
    DryRunNeeded,
    NothingChanged,
    OfficerNeeded,
    PolicyReasonNeeded,
    RuleRefused,
    SubmittedAnew,
    WrongStage,
)
from policy.history import MAX_REASON_CHARS, act, locked
from policy.models import OPEN, TRANSITIONS, Decision, RuleSetDecision, RuleSetVersion, Status
from policy.ruleset import RuleFileError
from policy.versions import current_version, diff, layer_of, rules_in
from tenants.scope import current_tenant_id


def note_dry_run(draft: RuleSetVersion, figures: dict[str, Any], *, by: User) -> None:
    """Store the figures of a dry run, unless the draft was changed since it began. Raises WrongStage."""
    with act("policy.dry_run", by=by, permission=POLICY_EDIT):
        row = locked(draft)
        if row.status != Status.DRAFT or row.changed_at != draft.changed_at:
            raise WrongStage
        row.figures, row.tried_at = figures, clock.now()
        row.save(update_fields=["figures", "tried_at"])
    draft.refresh_from_db()


def submit(draft: RuleSetVersion, *, by: User, note: str = "") -> None:
    """Ask for approval of what was tried. Raises WrongStage, DryRunNeeded, NothingChanged, RuleRefused."""
    with act("policy.submit", by=by, permission=POLICY_EDIT):
        row = locked(draft)
        if row.status == Status.DRAFT and row.tried_at is None:
            raise DryRunNeeded
        row.based_on = current_version()
        if row.status == Status.DRAFT and not diff(row.based_on, row):
            raise NothingChanged
        row.note = note.strip()[:MAX_REASON_CHARS]
        row.submitted_by, row.submitted_at = by.id, clock.now()
        _move(row, Status.SUBMITTED, "based_on", "note", "submitted_by", "submitted_at")
    draft.refresh_from_db()


def reopen(version: RuleSetVersion, *, by: User) -> None:
    """Take a submitted or approved version back to work on it; what was decided lapses. Raises WrongStage."""
    with act("policy.draft", by=by, permission=POLICY_EDIT):
        row = locked(version)
        if row.restores_id is not None:
            raise WrongStage  # A rollback is approved or rejected as it is.
        _move(row, Status.DRAFT)
    version.refresh_from_db()


def submission_of(version: RuleSetVersion) -> str:
    """Return what tells one submission of a version from its next, "" before there is one."""
    return version.submitted_at.isoformat() if version.submitted_at else ""


def approve(version: RuleSetVersion, *, by: User, reason: str = "", seen: str | None = None) -> None:
    """Approve what somebody else wrote and submitted; `seen` is the submission that was looked at.

    Where nobody but its submitter could, these may, with a written reason. Where everybody who could has written on
    it, any of them but its submitter may.
    Raises OfficerNeeded, PolicyReasonNeeded, DraftOutdated, SubmittedAnew, WrongStage.
    """
    with act("policy.approve", by=by, permission=POLICY_APPROVE):
        row = _submitted(version)
        if seen is not None and seen != submission_of(row):
            raise SubmittedAnew
        _require_current(row)
        _decide(row, _decision_of(row, by=by, reason=reason), by=by, reason=reason)
        _move(row, Status.APPROVED)
    version.refresh_from_db()


def reject(version: RuleSetVersion, *, by: User, reason: str) -> None:
    """Send a submitted version back to its author. Raises OfficerNeeded, PolicyReasonNeeded, WrongStage."""
    with act("policy.reject", by=by, permission=POLICY_APPROVE):
        row = _submitted(version)
        if by.id == row.submitted_by:
            raise OfficerNeeded
        if not reason.strip():
            raise PolicyReasonNeeded
        _decide(row, Decision.REJECT, by=by, reason=reason)
        _move(row, Status.DRAFT)
        if row.restores_id is not None:
            row.rules.all().delete()
            _move(row, Status.DISCARDED)
    version.refresh_from_db()


def publish(version: RuleSetVersion, *, by: User) -> None:
    """Put an approved version into force, for all processes. Raises WrongStage, DraftOutdated, RuleRefused."""
    with act("policy.publish", by=by, permission=POLICY_EDIT, object_id=_next_label(version)):
        row = locked(version)
        if row.status != Status.APPROVED:
            raise WrongStage
        _require_current(row)
        _publish(row, by=by)
    version.refresh_from_db()


def rollback(target: RuleSetVersion, *, by: User, reason: str) -> RuleSetVersion:
    """Bring back what an earlier version says, as a new one, and return that.

    It is in force at once, unless something would be weaker than now: then it waits for the approval that any such
    change needs. Raises PolicyReasonNeeded, WrongStage, NothingChanged.
    """
    with act("policy.rollback", by=by, permission=POLICY_EDIT, object_id=target.label):
        earlier, current = locked(target), current_version()
        if not reason.strip():
            raise PolicyReasonNeeded
        if earlier.status != Status.PUBLISHED or _rollback_is_open():
            raise WrongStage
        changes = diff(current, earlier)
        if not changes:
            raise NothingChanged
        row = _copy_of(earlier, current=current, by=by, reason=reason)
        if not any(change.weakens for change in changes):
            _decide(row, Decision.RESTORE, by=by, reason=reason)
            _move(row, Status.APPROVED)
            _publish(row, by=by)
    row.refresh_from_db()
    return row


def deciders() -> set[UUID]:
    """Return who in the organisation may approve rule sets."""
    people = User.objects.filter(tenant_id=current_tenant_id(), is_active=True)
    return {person.id for person in people if person.has_permission(POLICY_APPROVE)}


def _decision_of(row: RuleSetVersion, *, by: User, reason: str) -> Decision:
    others = deciders() - {by.id}
    if by.id == row.submitted_by:
        if others:
            raise OfficerNeeded
        if not reason.strip():
            raise PolicyReasonNeeded
        return Decision.ALONE
    if str(by.id) in row.editors and others - _authors(row):
        raise OfficerNeeded
    return Decision.APPROVE


def _copy_of(
    earlier: RuleSetVersion, *, current: RuleSetVersion | None, by: User, reason: str
) -> RuleSetVersion:
    row = RuleSetVersion(
        tenant_id=earlier.tenant_id, based_on=current, restores=earlier, editors=[str(by.id)]
    )
    row.save(force_insert=True)
    write_layer(row, layer_of(earlier))
    row.note, row.submitted_by, row.submitted_at = reason.strip()[:MAX_REASON_CHARS], by.id, clock.now()
    _move(row, Status.SUBMITTED, "note", "submitted_by", "submitted_at")
    return row


def _publish(row: RuleSetVersion, *, by: User) -> None:
    try:
        rules_in(row)  # What cannot be put together here could not be used anywhere.
    except RuleFileError as error:
        raise RuleRefused(str(error)) from None
    row.number = _last_number() + 1
    row.published_by, row.published_at = by.id, clock.now()
    _move(row, Status.PUBLISHED, "number", "published_by", "published_at")
    announce_rules()


def _submitted(version: RuleSetVersion) -> RuleSetVersion:
    row = locked(version)
    if row.status != Status.SUBMITTED:
        raise WrongStage
    return row


def _require_current(row: RuleSetVersion) -> None:
    current = current_version()
    if row.based_on_id != (current.pk if current else None):
        raise DraftOutdated


def _authors(row: RuleSetVersion) -> set[UUID]:
    return {UUID(editor) for editor in row.editors} | ({row.submitted_by} if row.submitted_by else set())


def _decide(row: RuleSetVersion, decision: Decision, *, by: User, reason: str) -> None:
    RuleSetDecision(
        tenant_id=row.tenant_id,
        version=row,
        account_id=by.id,
        decision=decision,
        reason=reason.strip()[:MAX_REASON_CHARS],
    ).save(force_insert=True)


def _move(row: RuleSetVersion, status: Status, *fields: str) -> None:
    if status not in TRANSITIONS[row.status]:
        raise WrongStage
    row.status = status
    row.save(update_fields=["status", *fields])


def _rollback_is_open() -> bool:
    return bool(RuleSetVersion.objects.filter(status__in=OPEN, restores__isnull=False).exists())


def _last_number() -> int:
    return RuleSetVersion.objects.aggregate(last=Max("number"))["last"] or 0


def _next_label(version: RuleSetVersion) -> str:
    return version.label if version.number else f"v{_last_number() + 1}"
