"""Join an identity with an account that is there already, and part them again: by an administrator or the person."""

from __future__ import annotations

from django.db import IntegrityError, transaction

from accounts.acting import recorded
from accounts.administration import end_sessions
from accounts.errors import IdentityTaken, IdentityUnusable, LinkRefused
from accounts.models import User
from accounts.provider_models import MAX_SUBJECT_CHARS, Identity, IdentityProvider, Linkage, ProviderKind
from accounts.roles import ACCOUNT_MANAGE, Role
from common.access import PermissionMissing
from common.errors import NotFound
from tenants.models import Tenant
from tenants.scope import tenant_scope

GUARDIANS = (Role.OFFICER, Role.AUDITOR)


def link_identity(
    account: User, *, provider: IdentityProvider, subject: str, by: User, name_there: str = ""
) -> Identity:
    """Let somebody whom the provider knows as `subject` sign in as this account.

    The person links the own account; the caller must have had the provider vouch for them just now. An administrator
    links others' accounts, but not a security officer's or auditor's: whoever links an own identity to such an account
    holds it. Raises PermissionMissing, LinkRefused, IdentityTaken and IdentityUnusable.
    """
    if not subject or len(subject) > MAX_SUBJECT_CHARS or not subject.isprintable():
        raise IdentityUnusable
    with (
        tenant_scope(provider.tenant_id),
        recorded(
            "identity.link",
            by=by.id,
            chain=by.tenant_id,
            object_type="account",
            object_id=account.id if account.tenant_id == by.tenant_id else None,
        ),
    ):
        current = _allowed(account, provider=provider, by=by)
        identity = Identity(
            tenant=provider.tenant,
            provider=provider,
            subject=subject,
            account=current,
            name_there=name_there[:255],
            linkage=Linkage.SELF if by == account else Linkage.ADMIN,
        )
        try:
            with transaction.atomic():
                identity.save(force_insert=True)
        except IntegrityError:
            raise IdentityTaken from None
        return identity


def typed_subject(provider: IdentityProvider, text: str) -> str:
    """Return an id as the provider's own would be stored: those of directories are kept in small letters."""
    return text.strip().lower() if provider.kind == ProviderKind.LDAP else text.strip()


def unlink_identity(identity: Identity, *, by: User) -> None:
    """Part an identity from its account and sign the person out.

    Raises PermissionMissing; LinkRefused where somebody would shut themselves out, having no password either.
    """
    account = identity.account
    with (
        tenant_scope(identity.tenant_id),
        recorded(
            "identity.unlink",
            by=by.id,
            chain=by.tenant_id,
            object_type="account",
            object_id=account.id if account.tenant_id == by.tenant_id else None,
        ),
    ):
        current = _allowed(account, provider=identity.provider, by=by)
        others = Identity.objects.filter(account=current).exclude(pk=identity.pk)
        if by == current and not current.has_usable_password() and not others.exists():
            raise LinkRefused
        if Identity.objects.filter(pk=identity.pk).delete()[0] == 0:
            raise NotFound
        end_sessions(current)


def identities_of(account: User) -> list[Identity]:
    """Return how the person of this account can sign in besides a password."""
    if account.tenant_id is None:
        return []
    with tenant_scope(account.tenant_id):
        return list(Identity.objects.filter(account=account).select_related("provider").order_by("linked_at"))


def _allowed(account: User, *, provider: IdentityProvider, by: User) -> User:
    """Return the account as it is now, locked against other changes in the organisation."""
    Tenant.objects.select_for_update().get(pk=provider.tenant_id)
    people = User.objects.in_bulk([account.pk, by.pk])
    current, actor = people.get(account.pk), people.get(by.pk)
    if current is None or actor is None or not current.tenant_id == actor.tenant_id == provider.tenant_id:
        raise PermissionMissing(ACCOUNT_MANAGE)
    if actor == current:
        return current
    if not actor.has_permission(ACCOUNT_MANAGE):
        raise PermissionMissing(ACCOUNT_MANAGE)
    if current.role in GUARDIANS:
        raise LinkRefused
    return current
