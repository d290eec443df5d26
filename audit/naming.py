"""Let the floor above say what a tenant is called; this floor knows tenants by id only.

`tenants` registers its lookup when it starts. Without one, tenants are named by their ids.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from crypto.scope import PLATFORM

PLATFORM_NAME = "platform"
FindTenant = Callable[[str], UUID | None]

_lookups: list[FindTenant] = []


def register_tenant_lookup(find: FindTenant) -> None:
    """Register a function that gives the id of the tenant with a code, or None."""
    _lookups.append(find)


def chain_named(name: str) -> UUID | None:
    """Return the chain of a tenant's code or id, or of `platform`; None where there is none of that name."""
    if name == PLATFORM_NAME:
        return PLATFORM
    for find in _lookups:
        found = find(name)
        if found is not None:
            return found
    try:
        return UUID(name)
    except ValueError:
        return None


def name_of(chain_id: UUID) -> str:
    """Return what a chain is called in reports."""
    return PLATFORM_NAME if chain_id == PLATFORM else str(chain_id)
