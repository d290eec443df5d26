"""Say of people what the users' pages show: to administrators their organisation's, to operators the operators."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from accounts.administration import ROLE_ACTIONS
from accounts.linking import GUARDIANS
from accounts.listing import State, Wanted, find_listed, list_accounts, state_of
from accounts.models import User
from accounts.provider_models import Identity, IdentityProvider
from accounts.roles import Role
from accounts.token_models import ApiToken
from accounts.tokens import list_tokens
from accounts.unlocking import has_failed
from common.errors import NotFound
from consent.services import standing_versions
from console.artifacts import Mark

STATES = {
    State.ACTIVE: Mark("ok", State.ACTIVE.label),
    State.INVITED: Mark("info", State.INVITED.label),
    State.DISABLED: Mark("mute", State.DISABLED.label),
}
NOT_ASKED = Mark("mute", _("Not given"))


@dataclass(frozen=True, slots=True)
class Person:
    """One person as the pages name them; `consent` is None for those who are never asked."""

    id: UUID
    login: str
    name: str
    initial: str
    department: str
    role: str
    role_name: str
    state: Mark
    consent: Mark | None
    last_login: datetime | None
    joined_at: datetime
    invited_until: datetime | None
    is_active: bool
    is_self: bool


@dataclass(frozen=True, slots=True)
class UsersPage:
    """The list. `before` and `after` are the queries of the neighbouring pages."""

    people: list[Person]
    total: int
    is_capped: bool
    before: str
    after: str
    wanted: Wanted


@dataclass(frozen=True, slots=True)
class KnownAs:
    """How an identity provider knows the person."""

    id: UUID
    provider: str
    kind: str
    name_there: str
    linked_at: datetime


@dataclass(frozen=True, slots=True)
class PersonPage:
    """One person's page; `roles` are those that can be given, none to operators.

    `providers` are those that the viewer can link the account at: none where the person has to do so.
    """

    person: Person
    roles: list[tuple[str, str]]
    identities: list[KnownAs]
    providers: list[tuple[UUID, str]]
    tokens: list[ApiToken]
    may_reset: bool
    may_invite: bool
    may_unlock: bool
    has_factors: bool


def users_page(viewer: User, *, wanted: Wanted, after: UUID | None, before: UUID | None) -> UsersPage:
    """Return one page of the people whom the viewer manages."""
    page = list_accounts(viewer.tenant_id, wanted=wanted, after=after, before=before)
    return UsersPage(
        people=show_people(page.rows, viewer),
        total=page.total,
        is_capped=page.is_capped,
        before=_query(wanted, before=page.before) if page.before else "",
        after=_query(wanted, after=page.after) if page.after else "",
        wanted=wanted,
    )


def managed_account(viewer: User, account_id: UUID) -> User:
    """Return an account that the viewer manages. Raises NotFound for any other, existing or not."""
    account = find_listed(viewer.tenant_id, account_id)
    if account is None:
        raise NotFound
    return account


def person_page(account: User, viewer: User) -> PersonPage:
    """Return one person's page."""
    [person] = show_people([account], viewer)
    roles = [] if account.role == Role.OPERATOR else [(role, str(Role(role).label)) for role in ROLE_ACTIONS]
    identities = _identities(account, viewer)
    has_password = account.has_usable_password()
    return PersonPage(
        person=person,
        roles=roles,
        identities=identities,
        providers=_providers(account, viewer),
        tokens=list_tokens(account) if viewer.tenant_id else [],
        may_reset=has_password,
        may_invite=not has_password and not identities,
        may_unlock=has_failed(account),
        has_factors=account.has_second_factor,
    )


def show_people(accounts: Iterable[User], viewer: User) -> list[Person]:
    """Return people as the pages name them."""
    rows = list(accounts)
    consents = _consents(rows, viewer)
    return [_show(account, viewer, consents.get(account.pk)) for account in rows]


def _show(account: User, viewer: User, consent: Mark | None) -> Person:
    return Person(
        id=account.pk,
        login=account.login_name,
        name=account.display_name,
        initial=account.initial,
        department=account.department,
        role=account.role,
        role_name=account.role_label,
        state=STATES[state_of(account)],
        consent=consent,
        last_login=account.last_login,
        joined_at=account.joined_at,
        invited_until=account.invited_until,
        is_active=account.is_active,
        is_self=account.pk == viewer.pk,
    )


def _consents(rows: list[User], viewer: User) -> dict[UUID, Mark]:
    """Return what members have agreed to; the other roles do not chat and are not asked."""
    members = [account.pk for account in rows if account.role == Role.MEMBER]
    if viewer.tenant_id is None or not members:
        return {}
    current, versions = standing_versions(members)
    marks = {
        pk: Mark("ok" if version == current else "warn", f"v{version}") for pk, version in versions.items()
    }
    return {pk: marks.get(pk, NOT_ASKED) for pk in members}


def _identities(account: User, viewer: User) -> list[KnownAs]:
    if viewer.tenant_id is None:
        return []
    found = Identity.objects.filter(account=account).select_related("provider").order_by("linked_at")
    return [
        KnownAs(
            each.pk, each.provider.name, each.provider.get_kind_display(), each.name_there, each.linked_at
        )
        for each in found
    ]


def _providers(account: User, viewer: User) -> list[tuple[UUID, str]]:
    if viewer.tenant_id is None or account == viewer or account.role in GUARDIANS:
        return []
    return [(provider.pk, provider.name) for provider in IdentityProvider.objects.order_by("name")]


def _query(wanted: Wanted, **cursor: object) -> str:
    """Return the query of a neighbouring page."""
    query = QueryDict(mutable=True)
    fields = {"q": wanted.text, "role": wanted.role, "state": wanted.state, **cursor}
    query.update({name: str(value) for name, value in fields.items() if value})
    return query.urlencode()
