"""Say whose organisation is meant."""

from __future__ import annotations

from uuid import UUID

from accounts.models import User


def tenant_of(person: User) -> UUID:
    """Return the organisation of anybody but an operator."""
    assert person.tenant_id is not None
    return person.tenant_id
