"""Add, change, switch and delete an organisation's ways of signing in.

An administrator does so for the own organisation, an operator for every one; for anybody else they do not exist. Every
act is one transaction with its audit event, refusals stand in the log too. Work happens in the scope of the
provider's organisation, whoever acts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from accounts.acting import recorded
from accounts.administration import end_sessions
from accounts.errors import ProviderReadOnly
from accounts.models import User
from accounts.provider_kinds import clean_secrets, rules_of
from accounts.provider_models import Identity, IdentityProvider, Origin, ProviderKind
from accounts.role_mapping import clean_rows
from accounts.roles import IDENTITY_MANAGE
from accounts.tokens import end_tokens
from common import clock
from common.access import PermissionMissing
from common.errors import NotFound
from tenants.models import Tenant
from tenants.scope import tenant_scope

MAX_PROVIDERS = 20
USUAL_PORTS = {"ldap": 389, "ldaps": 636}


@dataclass(frozen=True, slots=True)
class ProviderDraft:
    """What somebody wants a provider to be. Secrets that are not named stay as they are; "" takes one away."""

    name: str
    settings: Mapping[str, Any]
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    role_mapping: object = ()
    default_role: str = ""
    position: int = 0


def list_providers(tenant: Tenant) -> list[IdentityProvider]:
    """Return an organisation's providers, in their order."""
    with tenant_scope(tenant.id):
        return list(IdentityProvider.objects.select_related("tenant"))


def enabled_providers(tenant: Tenant, *kinds: str) -> list[IdentityProvider]:
    """Return those of these kinds through which people may sign in now, in their order; one query."""
    if not tenant.is_active:
        return []
    with tenant_scope(tenant.id):
        rows = IdentityProvider.objects.filter(is_enabled=True, kind__in=kinds)
        return list(rows.select_related("tenant"))


def find_provider(tenant: Tenant, provider_id: UUID, *, by: User) -> IdentityProvider:
    """Return a provider that `by` manages. Raises NotFound for any other, existing or not."""
    if not may_manage(by, tenant.id):
        raise PermissionMissing(IDENTITY_MANAGE)
    with tenant_scope(tenant.id):
        rows = IdentityProvider.objects.select_related("tenant")
        row: IdentityProvider | None = rows.filter(pk=provider_id).first()
    if row is None:
        raise NotFound
    return row


def may_manage(by: User, tenant_id: UUID) -> bool:
    """Return whether this account manages the providers of this organisation."""
    return by.has_permission(IDENTITY_MANAGE) and by.tenant_id in (None, tenant_id)


def add_provider(tenant: Tenant, *, code: str, kind: str, draft: ProviderDraft, by: User) -> IdentityProvider:
    """Add a provider, switched off. Raises ValidationError, by field where it can, and PermissionMissing."""
    row = IdentityProvider(tenant=tenant, code=code.strip().lower(), kind=kind)
    with _act("identity.add", row, by=by):
        if IdentityProvider.objects.count() >= MAX_PROVIDERS:
            raise ValidationError(
                _("An organisation has at most %(most)s ways of signing in."), params={"most": MAX_PROVIDERS}
            )
        fill(row, draft)
        row.save(force_insert=True)
    return row


def change_provider(provider: IdentityProvider, *, draft: ProviderDraft, by: User) -> IdentityProvider:
    """Change everything but code and kind. Raises ValidationError, PermissionMissing and ProviderReadOnly."""
    with _act("identity.change", provider, by=by):
        row = _own(provider)
        fill(row, draft)
        row.save(force_update=True)
    return row


def switch_provider(provider: IdentityProvider, *, is_on: bool, by: User) -> None:
    """Let people in this way, or no longer: then those who came this way are signed out.

    Raises PermissionMissing and ProviderReadOnly.
    """
    with _act("identity.enable" if is_on else "identity.disable", provider, by=by):
        row = _own(provider)
        IdentityProvider.objects.filter(pk=row.pk).update(is_enabled=is_on, changed_at=clock.now())
        if not is_on:
            sign_out_people_of(row)


def delete_provider(provider: IdentityProvider, *, by: User) -> None:
    """Delete a provider with its identities; its people are signed out and keep accounts that this way opens no more.

    Raises PermissionMissing and ProviderReadOnly.
    """
    with _act("identity.delete", provider, by=by):
        row = _own(provider)
        sign_out_people_of(row)
        row.delete()


def fill(row: IdentityProvider, draft: ProviderDraft) -> None:
    """Put a draft into a row. Raises ValidationError; then the row must not be saved."""
    faults: dict[str, Any] = {}
    row.name, row.default_role, row.position = draft.name.strip(), draft.default_role, draft.position
    row.changed_at = clock.now()
    try:
        row.role_mapping = clean_rows(draft.role_mapping)
    except ValidationError as error:
        faults["role_mapping"] = error
    try:
        row.settings = rules_of(row.kind).clean(draft.settings)
        _check_ports(row)
    except ValidationError as error:
        faults |= error.error_dict if hasattr(error, "error_dict") else {"settings": error}
    secrets = clean_secrets(row.kind, row.secrets() | dict(draft.secrets))
    row.sealed_secrets = json.dumps(secrets)
    if faults:
        raise ValidationError(faults)
    row.full_clean(exclude=["settings", "sealed_secrets"])


def _check_ports(row: IdentityProvider) -> None:
    """Raise ValidationError for a port where no directory is expected: the portal is nobody's port scanner.

    Whoever keeps the installation's settings has the machine, and may name any.
    """
    allowed = settings.PORTAL.directory_ports
    if row.kind != ProviderKind.LDAP or row.origin != Origin.CONSOLE or not allowed:
        return
    for server in row.settings["servers"]:
        parts = urlsplit(server)
        if (parts.port or USUAL_PORTS[parts.scheme]) not in allowed:
            said = _("Directories are reached on these ports only: %(ports)s")
            raise ValidationError({"servers": said % {"ports": ", ".join(map(str, allowed))}})


def sign_out_people_of(provider: IdentityProvider) -> None:
    """End the sessions of everybody who may have one and has an identity there; within the provider's scope.

    No session is older than its cookie lives, so who signed in longer ago has none.
    """
    since = clock.now() - timedelta(seconds=settings.SESSION_COOKIE_AGE)
    rows = Identity.objects.filter(provider=provider, account__last_login__gte=since)
    for identity in rows.select_related("account"):
        end_sessions(identity.account)
        if not identity.account.has_usable_password():
            end_tokens(identity.account)


@contextmanager
def _act(action: str, row: IdentityProvider, *, by: User) -> Iterator[None]:
    """Act in the scope of the provider's organisation, which waits for others who act there."""
    tenant_id = row.tenant_id
    is_ours = by.tenant_id in (None, tenant_id)
    with (
        tenant_scope(tenant_id),
        recorded(
            action,
            by=by.id,
            chain=tenant_id if is_ours else by.tenant_id,
            object_type="provider",
            object_id=row.pk if is_ours else None,
        ),
    ):
        Tenant.objects.select_for_update().get(pk=tenant_id)
        if not may_manage(User.objects.get(pk=by.pk), tenant_id):
            raise PermissionMissing(IDENTITY_MANAGE)
        yield


def _own(provider: IdentityProvider) -> IdentityProvider:
    """Return the row as it is now. Raises NotFound, and ProviderReadOnly where it is not kept in the console."""
    rows = IdentityProvider.objects.select_related("tenant")
    row: IdentityProvider | None = rows.filter(pk=provider.pk).first()
    if row is None:
        raise NotFound
    if row.origin != Origin.CONSOLE:
        raise ProviderReadOnly
    return row
