"""Name whose data a sealed value is: the tenant, and the conversation that it belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

PLATFORM = UUID(int=0)
"""Stands for the installation itself, where something belongs to no tenant."""


@dataclass(frozen=True, slots=True)
class CryptoScope:
    """What a ciphertext is bound to besides its own row; moved to another scope, it does not open."""

    tenant_id: UUID
    container_id: UUID | None


class Scoped(Protocol):
    """A model with sealed fields. Its primary key must be known before the insert (a UUID default)."""

    def crypto_scope(self) -> CryptoScope:
        """Return the scope of this row; it must not change after the first save."""
