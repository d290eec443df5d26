"""Let the floor above say whether an organisation's log keeps network addresses, masked; it never keeps them whole."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

KeepsAddresses = Callable[[UUID], bool]

_rules: list[KeepsAddresses] = []


def register_address_rule(keeps: KeepsAddresses) -> None:
    """Register a function that says of a chain whether addresses stand in it. Every rule must agree."""
    _rules.append(keeps)


def kept_address(masked: str, *, chain_id: UUID) -> str:
    """Return a masked address if a chain keeps it, else nothing."""
    return masked if all(keeps(chain_id) for keeps in _rules) else ""
