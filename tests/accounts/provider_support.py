"""Providers for tests: an LDAP one whose directory need not be there."""

from __future__ import annotations

from typing import Any

from accounts.models import User
from accounts.provider_models import IdentityProvider
from accounts.providers import ProviderDraft, add_provider, switch_provider
from tenants.models import Tenant
from tenants.scope import tenant_scope

LDAP_SETTINGS: dict[str, Any] = {
    "servers": ["ldap://127.0.0.1:389"],
    "security": "none",
    "bind_dn": "cn=reader,dc=corp,dc=test",
    "user_base": "ou=people,dc=corp,dc=test",
    "group_base": "ou=groups,dc=corp,dc=test",
}
GROUPS = (
    {"group": "staff", "role": "member"},
    {"group": "admins", "role": "admin"},
    {"group": "audit", "role": "auditor"},
)


def draft(**changes: Any) -> ProviderDraft:
    """Return a draft of an LDAP provider whose groups give roles, with some of it changed."""
    fields: dict[str, Any] = {
        "name": "Directory",
        "settings": LDAP_SETTINGS,
        "secrets": {"bind_password": "heron-reads"},
        "role_mapping": GROUPS,
    }
    return ProviderDraft(**fields | changes)


def open_provider(tenant: Tenant, *, by: User, code: str = "ldap", **changes: Any) -> IdentityProvider:
    """Add an LDAP provider and switch it on."""
    provider = add_provider(tenant, code=code, kind="ldap", draft=draft(**changes), by=by)
    switch_provider(provider, is_on=True, by=by)
    with tenant_scope(tenant.id):
        row: IdentityProvider = IdentityProvider.objects.select_related("tenant").get(pk=provider.pk)
        return row


def organisation_of(person: User) -> Tenant:
    """Return the organisation of anybody but an operator."""
    assert person.tenant is not None
    return person.tenant
