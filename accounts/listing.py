"""List and search the people of one organisation, page by page, at a cost that does not grow with the page's number.

A page begins after an account that the page before ended with (keyset paging), in the order of logins. Each list names
its organisation; None is the operators'.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db import models
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.models import User, fold
from accounts.roles import Role

PAGE_ROWS = 50
# What a search finds is counted up to here: an exact number beyond it would cost a second pass and tell nobody more.
COUNTED = 1000


class State(models.TextChoices):
    """Whether somebody can use an account."""

    ACTIVE = "active", _("Active")
    INVITED = "invited", _("Invited")
    DISABLED = "disabled", _("Disabled")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for; an empty text stands for everything."""

    text: str = ""
    role: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True)
class AccountPage:
    """One page of accounts; `before` and `after` are where the neighbouring pages begin, None where there is none.

    `total` is of all pages; with `is_capped` there are more than that.
    """

    rows: list[User]
    total: int
    is_capped: bool
    before: UUID | None
    after: UUID | None


def state_of(account: User) -> State:
    """Return the account's state; one that was invited is so until the person has taken it up."""
    if not account.is_active:
        return State.DISABLED
    return State.INVITED if account.invited_until is not None else State.ACTIVE


def list_accounts(
    tenant_id: UUID | None, *, wanted: Wanted, after: UUID | None = None, before: UUID | None = None
) -> AccountPage:
    """Return the accounts that follow `after` or lie before `before`; one that does not exist means the first page."""
    found = _matching(tenant_id, wanted)
    start, is_back = _start(tenant_id, after=after, before=before)
    rows = list(_beyond(found, start, is_back=is_back)[: PAGE_ROWS + 1])
    is_more, rows = len(rows) > PAGE_ROWS, rows[:PAGE_ROWS]
    if is_back:
        rows.reverse()
    total = len(rows) if start is None and not is_more else _count(found, wanted)
    has_before, has_after = (is_more, True) if is_back else (start is not None, is_more)
    return AccountPage(
        rows=rows,
        total=min(total, COUNTED) if wanted.text else total,
        is_capped=bool(wanted.text) and total > COUNTED,
        before=rows[0].pk if rows and has_before else None,
        after=rows[-1].pk if rows and has_after else None,
    )


def find_listed(tenant_id: UUID | None, account_id: UUID) -> User | None:
    """Return the account if it is in that organisation's list."""
    return _people(tenant_id).filter(pk=account_id).first()


def count_by_role(tenant_id: UUID | None) -> dict[str, int]:
    """Return how many active accounts hold each role."""
    active = _people(tenant_id).filter(is_active=True).order_by()
    return dict(active.values_list("role").annotate(models.Count("pk")))


def matching(tenant_id: UUID | None, wanted: Wanted) -> QuerySet[User]:
    """Return all accounts that are looked for, in the order of the list."""
    return _matching(tenant_id, wanted).order_by("login_name")


def _people(tenant_id: UUID | None) -> QuerySet[User]:
    """Return the people of one organisation, or the operators, who have none."""
    if tenant_id is None:
        return User.objects.filter(tenant__isnull=True, role=Role.OPERATOR)
    return User.objects.filter(tenant_id=tenant_id)


def _matching(tenant_id: UUID | None, wanted: Wanted) -> QuerySet[User]:
    found = _people(tenant_id).select_related(None).defer("password")
    if wanted.role:
        found = found.filter(role=wanted.role)
    if wanted.state:
        found = found.filter(is_active=wanted.state != State.DISABLED)
    if wanted.state in (State.ACTIVE, State.INVITED):
        found = found.filter(invited_until__isnull=wanted.state == State.ACTIVE)
    for word in fold(wanted.text).split():
        found = found.filter(search_key__contains=word)
    return found


def _start(tenant_id: UUID | None, *, after: UUID | None, before: UUID | None) -> tuple[str | None, bool]:
    """Return the login that the page begins beyond, and whether it goes backwards from there."""
    anchor = after or before
    if anchor is None:
        return None, False
    login = _people(tenant_id).filter(pk=anchor).values_list("login_name", flat=True).first()
    return login, login is not None and after is None


def _beyond(found: QuerySet[User], login: str | None, *, is_back: bool) -> QuerySet[User]:
    if is_back:
        return found.filter(login_name__lt=login).order_by("-login_name")
    if login is not None:
        found = found.filter(login_name__gt=login)
    return found.order_by("login_name")


def _count(found: QuerySet[User], wanted: Wanted) -> int:
    if wanted.text:
        return found.order_by()[: COUNTED + 1].count()
    return found.count()
