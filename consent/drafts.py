"""Draft the next version of the notice, and publish it by a second person.

Who drafted or submitted it never publishes it. A draft holds for the version that it was made on: once another one has
been published meanwhile (`manage.py notice publish`), it has to be looked at and saved again. Acts on the draft of one
organisation wait for each other; each is one transaction with its event.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict

from django.core.exceptions import ValidationError

from accounts.acting import recorded
from accounts.errors import ChangeOvertaken, OwnProposal, ProposalClosed, ReasonMissing
from accounts.models import User
from accounts.roles import NOTICE_APPROVE, NOTICE_EDIT
from common import clock
from common.access import PermissionMissing
from consent.models import ConsentNotice, DraftState, NoticeDraft
from consent.services import NoticeText, current_version, publish_notice
from tenants.models import REASON_CHARS, Tenant
from tenants.scope import current_tenant_id

OPEN = (DraftState.DRAFT, DraftState.SUBMITTED)


def open_draft() -> NoticeDraft | None:
    """Return the draft that is worked on or waits; within the scope."""
    draft: NoticeDraft | None = NoticeDraft.objects.filter(state__in=OPEN).first()
    return draft


def texts_of(draft: NoticeDraft) -> dict[str, NoticeText]:
    """Return the texts of a draft by language."""
    return {language: NoticeText(**text) for language, text in draft.texts.items()}


def current_texts() -> dict[str, NoticeText]:
    """Return the texts in force by language."""
    rows = ConsentNotice.objects.filter(version=current_version())
    return {row.language: NoticeText(row.title, row.summary, row.body) for row in rows}


def save_draft(texts: Mapping[str, NoticeText], *, by: User) -> None:
    """Keep the texts as the draft. Raises PermissionMissing, ValidationError, and ProposalClosed while one waits."""
    with _act("notice.draft", NOTICE_EDIT, by=by):
        check_texts(texts)
        draft = open_draft() or NoticeDraft(tenant_id=current_tenant_id())
        if draft.state != DraftState.DRAFT:
            raise ProposalClosed
        draft.texts = {language: asdict(text) for language, text in texts.items()}
        draft.edited_by, draft.edited_at, draft.base = by.pk, clock.now(), current_version()
        draft.save()


def submit_draft(*, by: User) -> None:
    """Ask for a second person. Raises PermissionMissing, ProposalClosed, and ChangeOvertaken."""
    with _act("notice.submit", NOTICE_EDIT, by=by):
        draft = _in_state(DraftState.DRAFT)
        _require_base(draft)
        draft.state, draft.submitted_by, draft.submitted_at = DraftState.SUBMITTED, by.pk, clock.now()
        draft.save()


def discard_draft(*, by: User) -> None:
    """Give the draft up, also while it waits. Raises PermissionMissing and ProposalClosed."""
    with _act("notice.discard", NOTICE_EDIT, by=by):
        draft = _in_state(*OPEN)
        draft.state = DraftState.DISCARDED
        draft.save()


def reject_draft(*, reason: str, by: User) -> None:
    """Send the draft back, with a reason. Raises as `publish_draft`, and ReasonMissing."""
    with _act("notice.reject", NOTICE_APPROVE, by=by):
        draft = _for_second(by)
        reason = " ".join(reason.split())
        if not reason or len(reason) > REASON_CHARS:
            raise ReasonMissing
        draft.state, draft.reason = DraftState.DRAFT, reason
        draft.decided_by, draft.decided_at = by.pk, clock.now()
        draft.save()


def publish_draft(*, by: User) -> int:
    """Publish the draft as the second person, and return its version; everybody is asked anew.

    Raises PermissionMissing, OwnProposal, ProposalClosed, and ChangeOvertaken.
    """
    with _act("notice.approve", NOTICE_APPROVE, by=by):
        draft = _for_second(by)
        _require_base(draft)
        draft.state, draft.decided_by, draft.decided_at = DraftState.PUBLISHED, by.pk, clock.now()
        draft.save()
        return publish_notice(texts=texts_of(draft), actor=by.pk)


def check_texts(texts: Mapping[str, NoticeText]) -> None:
    """Raise ValidationError, by language, where a text could not be published."""
    faults: dict[str, list[str]] = {}
    for language, text in texts.items():
        notice = ConsentNotice(version=1, language=language, **asdict(text))
        try:
            notice.full_clean(exclude=["tenant", "sha256"])
        except ValidationError as error:
            faults[language] = error.messages
    if faults or not texts:
        raise ValidationError(faults or "A notice needs a text in at least one language.")


@contextmanager
def _act(action: str, permission: str, *, by: User) -> Iterator[None]:
    """Wait until nobody else acts on the draft, and make sure that the person may still do this."""
    with recorded(action, by=by.pk, chain=by.tenant_id, object_type="tenant", object_id=by.tenant_id):
        Tenant.objects.select_for_update().get(pk=current_tenant_id())
        acting = User.objects.filter(pk=by.pk, tenant_id=current_tenant_id()).first()
        if acting is None or not acting.has_permission(permission):
            raise PermissionMissing(permission)
        yield


def _in_state(*states: DraftState) -> NoticeDraft:
    draft = open_draft()
    if draft is None or draft.state not in states:
        raise ProposalClosed
    return draft


def _for_second(by: User) -> NoticeDraft:
    draft = _in_state(DraftState.SUBMITTED)
    if by.pk in (draft.submitted_by, draft.edited_by):
        raise OwnProposal
    return draft


def _require_base(draft: NoticeDraft) -> None:
    if draft.base != current_version():
        raise ChangeOvertaken
