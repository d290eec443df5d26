"""Say of versions of the rules how far they have come, who decided what, and what the viewer may do now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from accounts.roles import POLICY_APPROVE, POLICY_EDIT
from common.errors import NotFound
from console.approvals import Eye, person
from console.artifacts import Mark
from console.policy_changes import Change, changes_between
from console.policy_dry_run import DryRun, read_dry_run
from console.viewers import names_of
from policy.models import OPEN, Decision, RuleSetDecision, RuleSetVersion, Status
from policy.rulesets import current_version, deciders, submission_of, versions

STATES = {
    Status.DRAFT: Mark("warn", gettext_lazy("Unpublished changes")),
    Status.SUBMITTED: Mark("warn", gettext_lazy("Waits for a second person")),
    Status.APPROVED: Mark("info", gettext_lazy("Approved, not published yet")),
    Status.PUBLISHED: Mark("ok", gettext_lazy("Published")),
    Status.DISCARDED: Mark("mute", gettext_lazy("Discarded")),
}
DECISIONS = {
    Decision.APPROVE: Mark("ok", gettext_lazy("Approved")),
    Decision.REJECT: Mark("danger", gettext_lazy("Rejected")),
    Decision.ALONE: Mark("warn", gettext_lazy("Approved alone")),
    Decision.RESTORE: Mark("ok", gettext_lazy("Approved before")),
}


@dataclass(frozen=True, slots=True)
class Acts:
    """What the viewer may do with a version now; `alone` where there is nobody else to approve it."""

    try_out: bool = False
    submit: bool = False
    discard: bool = False
    reopen: bool = False
    approve: bool = False
    reject: bool = False
    publish: bool = False
    rollback: bool = False
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Decided:
    """One decision as it stands in the line of steps."""

    mark: Mark
    who: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Version:
    """A version as every part of the pages names it."""

    id: UUID
    label: str
    mark: Mark
    is_open: bool
    is_current: bool
    restores: str
    changes: list[Change]
    weakens: bool
    dry_run: DryRun | None
    tried_at: datetime | None
    acts: Acts
    submission: str
    note: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class VersionPage:
    """The page of one version; `typed` and `error` give back the reason that was not good enough."""

    version: Version
    against: str
    eyes: tuple[Eye, Eye] | None
    why_not: str
    decisions: list[Decided]
    typed: str
    error: str


def version_of(version_id: UUID) -> RuleSetVersion:
    """Return a version of the scope's organisation. Raises NotFound, also for what was discarded."""
    row: RuleSetVersion | None = (
        RuleSetVersion.objects.filter(pk=version_id).exclude(status=Status.DISCARDED).first()
    )
    if row is None:
        raise NotFound
    return row


def show_versions(viewer: User) -> list[Version]:
    """Return every version, the newest first, what is on its way before what was published."""
    rows, current = versions(), current_version()
    names = names_of(_people(rows))
    return [_show(row, viewer, current=current, names=names) for row in rows]


def show_version(row: RuleSetVersion, viewer: User) -> Version:
    """Return one version."""
    return _show(row, viewer, current=current_version(), names=names_of(_people([row])))


def version_page(row: RuleSetVersion, viewer: User, *, typed: str = "", error: str = "") -> VersionPage:
    """Return the page of one version."""
    shown, before = show_version(row, viewer), _before(row)
    decisions = list(RuleSetDecision.objects.filter(version=row).order_by("-at", "-id"))
    names = names_of([decided.account_id for decided in decisions])
    return VersionPage(
        version=shown,
        against=before.label if before else _("the base rules"),
        eyes=_eyes(row, viewer, shown.acts) if row.status == Status.SUBMITTED else None,
        why_not=_why_not(row, viewer),
        decisions=[_decided(decided, names) for decided in decisions],
        typed=typed,
        error=error,
    )


def _show(
    row: RuleSetVersion, viewer: User, *, current: RuleSetVersion | None, names: dict[UUID, str]
) -> Version:
    changes = changes_between(_before(row), row)
    by = row.published_by or row.submitted_by or (UUID(row.editors[-1]) if row.editors else None)
    return Version(
        id=row.pk,
        label=row.label if row.number else _("draft"),
        mark=STATES[Status(row.status)],
        is_open=row.status in OPEN,
        is_current=current is not None and row.pk == current.pk,
        restores=row.restores.label if row.restores else "",
        changes=changes,
        weakens=any(change.weakens for change in changes),
        dry_run=read_dry_run(row),
        tried_at=row.tried_at,
        acts=_acts(row, viewer, current=current, is_changed=bool(changes)),
        submission=submission_of(row),
        note=row.note,
        by=person(by, names) if by else "",
        at=row.published_at or row.submitted_at or row.changed_at,
    )


def _before(row: RuleSetVersion) -> RuleSetVersion | None:
    """Return what a version is compared with: a draft with what is in force, a published one with its forerunner."""
    return current_version() if row.status == Status.DRAFT else row.based_on


def _acts(row: RuleSetVersion, viewer: User, *, current: RuleSetVersion | None, is_changed: bool) -> Acts:
    edits, approves = viewer.has_permission(POLICY_EDIT), viewer.has_permission(POLICY_APPROVE)
    is_draft, waits = row.status == Status.DRAFT, row.status == Status.SUBMITTED
    is_own = row.submitted_by == viewer.pk
    alone = waits and approves and is_own and not deciders() - {viewer.pk}
    return Acts(
        try_out=edits and is_draft,
        submit=edits and is_draft and row.tried_at is not None and is_changed,
        discard=edits and is_draft,
        reopen=edits and row.status in (Status.SUBMITTED, Status.APPROVED) and row.restores_id is None,
        approve=alone or (waits and approves and not is_own and not _is_author(row, viewer)),
        reject=waits and approves and not is_own,
        publish=edits and row.status == Status.APPROVED,
        rollback=edits and row.status == Status.PUBLISHED and current is not None and row.pk != current.pk,
        alone=alone,
    )


def _is_author(row: RuleSetVersion, viewer: User) -> bool:
    """Return whether the viewer wrote on it while somebody who did not could approve it."""
    writers = {UUID(editor) for editor in row.editors} | {row.submitted_by}
    return viewer.pk in writers and bool(deciders() - writers)


def _eyes(row: RuleSetVersion, viewer: User, acts: Acts) -> tuple[Eye, Eye]:
    when = date_format(localtime(row.submitted_at), "m-d H:i") if row.submitted_at else ""
    name = person(row.submitted_by, names_of([row.submitted_by]))
    first = Eye("ok", _("Submitted by %(name)s") % {"name": name}, when, is_signed=True)
    if acts.alone:
        return first, Eye(
            "warn", _("There is no second officer"), _("A written reason stands for one."), is_signed=False
        )
    detail = _("You (%(name)s) may approve.") % {"name": viewer.display_name}
    second = detail if acts.approve else _("Not signed yet.")
    return first, Eye("warn", _("Approver: has to be another person"), second, is_signed=False)


def _why_not(row: RuleSetVersion, viewer: User) -> str:
    if row.submitted_by == viewer.pk:
        return _("You submitted these rules; another security officer decides on them.")
    if _is_author(row, viewer):
        return _("You wrote on these rules; a security officer who did not decides on them.")
    return _("A security officer decides on them.")


def _decided(row: RuleSetDecision, names: dict[UUID, str]) -> Decided:
    return Decided(DECISIONS[Decision(row.decision)], person(row.account_id, names), row.reason, row.at)


def _people(rows: Iterable[RuleSetVersion]) -> list[UUID | None]:
    found: list[UUID | None] = []
    for row in rows:
        found += [row.submitted_by, row.published_by, *(UUID(editor) for editor in row.editors[-1:])]
    return found
