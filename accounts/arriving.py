"""Receive people whom a provider vouches for: find their account, make it at the first sign-in, or refuse them.

A person is (organisation, provider, subject) and nothing else. A user name or a mail address never makes two people
one: where the name is another account's, the arrival is refused, and only linking (accounts.linking) joins them.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db import transaction

from accounts.administration import end_sessions
from accounts.backends import may_sign_in
from accounts.errors import (
    IdentityCollision,
    IdentityUnusable,
    NotInAnyGroup,
    SignInRefused,
)
from accounts.models import User, make_handle
from accounts.provider_models import MAX_SUBJECT_CHARS, Identity, IdentityProvider, Linkage
from accounts.quotas import require_room
from accounts.role_mapping import role_for_groups
from accounts.roles import Role
from accounts.tokens import end_tokens
from audit.models import Outcome
from audit.services import record_event
from common import clock
from common.errors import PortalError
from tenants.models import Tenant
from tenants.scope import tenant_scope

NAME_CHARS = 80


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a provider proved about a person; nothing of it is trusted beyond the provider's own organisation.

    `subject` is the provider's unchanging id of the person, `login_name` what they are called there.
    """

    subject: str
    login_name: str
    display_name: str = ""
    groups: tuple[str, ...] = ()


def receive(provider: IdentityProvider, arrival: Arrival) -> User:
    """Return the account of somebody whom the provider has just vouched for, with the role that their groups give.

    At the first time it is made, without a password. Groups decide on the roles of accounts that were made so; an
    account that was linked keeps the role that it was given by hand, but its person must be in a group, too.

    Raises SignInRefused where provider, organisation or account are switched off; NotInAnyGroup (recorded, and a
    person who is in is signed out); IdentityCollision (recorded); IdentityUnusable.
    """
    subject = arrival.subject.strip()
    if not subject or len(subject) > MAX_SUBJECT_CHARS or not subject.isprintable():
        raise IdentityUnusable
    with tenant_scope(provider.tenant_id):
        try:
            with transaction.atomic():
                return _receive(provider, arrival, subject=subject)
        except NotInAnyGroup as error:
            turn_away(provider, subject=subject, why=error)
            raise
        except IdentityCollision as error:
            holder = _holder_of_name(provider.tenant, arrival.login_name)
            _record("identity.collide", provider, account=holder, refusal=error)
            raise


def turn_away(provider: IdentityProvider, *, subject: str, why: NotInAnyGroup) -> None:
    """Record that somebody's groups let them in no more, and sign them out; within the provider's scope."""
    with transaction.atomic():
        identity = _identity(provider, subject)
        if identity is not None:
            mark_gone(identity)
        _record("identity.no_group", provider, account=identity.account if identity else None, refusal=why)


def mark_gone(identity: Identity) -> None:
    """End what somebody has open, tokens too, until the provider vouches for them again."""
    Identity.objects.filter(pk=identity.pk).update(gone_at=clock.now())
    end_sessions(identity.account)
    end_tokens(identity.account)


def _receive(provider: IdentityProvider, arrival: Arrival, *, subject: str) -> User:
    # Two first arrivals of one person wait for each other here, and for whoever changes roles.
    tenant = Tenant.objects.select_for_update().get(pk=provider.tenant_id)
    is_on = IdentityProvider.objects.filter(pk=provider.pk, is_enabled=True).exists()
    if not (tenant.is_active and is_on):
        raise SignInRefused
    role = (
        role_for_groups(
            provider.mapping, arrival.groups, three_admin_separation=tenant.three_admin_separation
        )
        if provider.mapping.gives_roles
        else None
    )
    identity = _identity(provider, subject)
    if identity is None:
        return _make_account(provider, tenant, arrival, subject=subject, role=role)
    if not may_sign_in(identity.account):
        raise SignInRefused
    _refresh(identity, arrival, role=role)
    return User.objects.get(pk=identity.account_id)


def _make_account(
    provider: IdentityProvider, tenant: Tenant, arrival: Arrival, *, subject: str, role: Role | None
) -> User:
    if role is None:
        role = Role(provider.default_role) if provider.default_role else None
    if role is None:
        raise NotInAnyGroup
    login = arrival.login_name.strip().casefold()
    if _holder_of_name(tenant, login) is not None:
        raise IdentityCollision
    name = _printable(arrival.display_name) or login
    require_room(tenant)
    account = User(tenant=tenant, login_name=login, display_name=name[:NAME_CHARS], role=role)
    account.set_unusable_password()
    try:
        account.full_clean(exclude=["handle"])
    except ValidationError:
        raise IdentityUnusable from None
    account.save(force_insert=True)
    Identity(
        tenant=tenant,
        provider=provider,
        subject=subject,
        account=account,
        name_there=login,
        linkage=Linkage.ARRIVED,
    ).save(force_insert=True)
    _record("identity.arrive", provider, account=account)
    return account


def _refresh(identity: Identity, arrival: Arrival, *, role: Role | None) -> None:
    """Bring what the provider says of the person up to date: names, and the role if groups decide on it."""
    account = identity.account
    identity.seen_at, identity.gone_at = clock.now(), None
    identity.name_there = _printable(arrival.login_name)[:255]
    identity.save(update_fields=["seen_at", "gone_at", "name_there"])
    if identity.linkage != Linkage.ARRIVED:
        return
    name = _printable(arrival.display_name)[:NAME_CHARS] or account.display_name
    if name != account.display_name:
        User.objects.filter(pk=account.pk).update(display_name=name)
    set_role_by_groups(identity, role)


def set_role_by_groups(identity: Identity, role: Role | None) -> None:
    """Give the role that the groups give; another one than before ends what was open. None changes nothing.

    The directory is the organisation's own word: the rules that bind administrators among each other (own account,
    last of a role) do not bind it.
    """
    account = identity.account
    if identity.linkage != Linkage.ARRIVED or role is None or account.role == role:
        return
    User.objects.filter(pk=account.pk).update(role=role)
    end_sessions(account)
    _record("identity.role", identity.provider, account=account)


def _identity(provider: IdentityProvider, subject: str) -> Identity | None:
    rows = Identity.objects.select_related("provider", "account__tenant")
    return rows.filter(provider=provider, subject=subject).first()


def _holder_of_name(tenant: Tenant, login: str) -> User | None:
    return User.objects.filter(handle=make_handle(organisation=tenant.code, login=login)).first()


def _printable(text: str) -> str:
    return "".join(letter for letter in text.strip() if letter.isprintable())


def _record(
    action: str, provider: IdentityProvider, *, account: User | None, refusal: PortalError | None = None
) -> None:
    record_event(
        action=action,
        tenant_id=provider.tenant_id,
        actor=account.id if account and action != "identity.collide" else None,
        object_type="account" if account else "provider",
        object_id=str(account.id if account else provider.id),
        outcome=Outcome.REFUSED if refusal else Outcome.OK,
        status=refusal.http_status if refusal else 200,
    )
