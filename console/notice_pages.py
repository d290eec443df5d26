"""Say of the notice what is in force, what is on its way, what each version changed, and who has agreed to it."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db.models import Count, Q

from accounts.models import User
from accounts.roles import NOTICE_APPROVE, NOTICE_EDIT, Role
from consent.drafts import current_texts, open_draft, texts_of
from consent.models import ConsentNotice, ConsentRecord, DraftState, NoticeDraft
from consent.services import NoticeText, current_version
from console.approvals import person
from console.viewers import names_of

PEOPLE_ROWS = 50


@dataclass(frozen=True, slots=True)
class Version:
    """A published version, and how many people have agreed to it and still do."""

    number: int
    at: datetime
    languages: str
    title: str
    agreed: int
    withdrawn: int


@dataclass(frozen=True, slots=True)
class Editor:
    """The texts of one language as they stand in the form."""

    language: str
    label: str
    text: NoticeText
    errors: list[str]


@dataclass(frozen=True, slots=True)
class NoticePage:
    """The page of the notice; `members` is how many people there are to agree."""

    versions: list[Version]
    members: int
    editors: list[Editor]
    draft: NoticeDraft | None
    is_waiting: bool
    is_overtaken: bool
    by: str
    rejected: str
    may_edit: bool
    may_publish: bool
    diffs: list[Diff]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a text: kept, added or gone."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Diff:
    """What changes in one language."""

    language: str
    lines: list[Line]


@dataclass(frozen=True, slots=True)
class Agreed:
    """One person's agreement; no content."""

    name: str
    language: str
    given_at: datetime
    withdrawn_at: datetime | None


@dataclass(frozen=True, slots=True)
class AgreedPage:
    """Who has agreed to a version, page by page."""

    version: int
    rows: list[Agreed]
    before: int | None
    after: int | None
    diffs: list[Diff]


def notice_page(
    viewer: User,
    *,
    typed: dict[str, NoticeText] | None = None,
    faults: dict[str, list[str]] | None = None,
) -> NoticePage:
    """Return the page; `typed` and `faults` are what came with a form that could not be kept. Within the scope."""
    draft, current = open_draft(), current_texts()
    wanted = texts_of(draft) if draft else current
    is_waiting = draft is not None and draft.state == DraftState.SUBMITTED
    is_own = draft is not None and viewer.pk in (draft.submitted_by, draft.edited_by)
    names = names_of([draft.submitted_by or draft.edited_by] if draft else [])
    return NoticePage(
        versions=_versions(),
        members=User.objects.filter(tenant=viewer.tenant, role=Role.MEMBER, is_active=True).count(),
        editors=_editors(typed or wanted, faults or {}),
        draft=draft,
        is_waiting=is_waiting,
        is_overtaken=draft is not None and draft.base != current_version(),
        by=person(draft.submitted_by or draft.edited_by, names) if draft else "",
        rejected=draft.reason if draft and not is_waiting else "",
        may_edit=viewer.has_permission(NOTICE_EDIT),
        may_publish=is_waiting and not is_own and viewer.has_permission(NOTICE_APPROVE),
        diffs=_diffs(current, wanted) if draft else [],
    )


def agreed_page(version: int, *, offset: int) -> AgreedPage | None:
    """Return who has agreed to a version, and what it changed; None where there is none. Within the scope."""
    texts = _texts(version)
    if not texts:
        return None
    records = (
        ConsentRecord.objects.filter(notice_version=version)
        .select_related("account")
        .order_by("given_at", "pk")
    )
    rows = list(records[offset : offset + PEOPLE_ROWS + 1])
    return AgreedPage(
        version=version,
        rows=[
            Agreed(row.account.display_name, row.notice_language, row.given_at, row.withdrawn_at)
            for row in rows[:PEOPLE_ROWS]
        ],
        before=max(0, offset - PEOPLE_ROWS) if offset else None,
        after=offset + PEOPLE_ROWS if len(rows) > PEOPLE_ROWS else None,
        diffs=_diffs(_texts(version - 1), texts),
    )


def _texts(version: int) -> dict[str, NoticeText]:
    rows = ConsentNotice.objects.filter(version=version)
    return {row.language: NoticeText(row.title, row.summary, row.body) for row in rows}


def _versions() -> list[Version]:
    standing = Count("pk", filter=Q(withdrawn_at__isnull=True))
    counts = {
        number: (agreed, total - agreed)
        for number, agreed, total in ConsentRecord.objects.order_by()
        .values_list("notice_version")
        .annotate(standing=standing, total=Count("pk"))
    }
    versions: dict[int, list[ConsentNotice]] = {}
    for row in ConsentNotice.objects.order_by("-version", "-language"):
        versions.setdefault(row.version, []).append(row)
    return [
        Version(
            number=number,
            at=rows[0].published_at,
            languages=", ".join(_label(row.language) for row in rows),
            title=rows[0].title,
            agreed=counts.get(number, (0, 0))[0],
            withdrawn=counts.get(number, (0, 0))[1],
        )
        for number, rows in versions.items()
    ]


def _editors(texts: dict[str, NoticeText], faults: dict[str, list[str]]) -> list[Editor]:
    empty = NoticeText("", "", "")
    return [
        Editor(language, str(label), texts.get(language, empty), faults.get(language, []))
        for language, label in settings.LANGUAGES
    ]


def _label(language: str) -> str:
    return str(dict(settings.LANGUAGES).get(language, language))


def _diffs(before: dict[str, NoticeText], after: dict[str, NoticeText]) -> list[Diff]:
    languages = [
        language for language, _name in settings.LANGUAGES if language in before or language in after
    ]
    return [Diff(_label(each), _lines(before.get(each), after.get(each))) for each in languages]


def _lines(before: NoticeText | None, after: NoticeText | None) -> list[Line]:
    kinds = {"  ": "", "+ ": "added", "- ": "gone"}
    compared = difflib.ndiff(_plain(before), _plain(after))
    return [Line(kinds[line[:2]], line[2:]) for line in compared if line[:2] in kinds]


def _plain(text: NoticeText | None) -> list[str]:
    if text is None:
        return []
    return [text.title, text.summary, *text.body.splitlines()]
