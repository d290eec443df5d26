"""Compare whose text something is."""

from __future__ import annotations

from inference.engine import Origin

NOBODY = Origin()


def is_same_person(left: Origin, right: Origin) -> bool:
    """Say whether both are the same known person; nobody is the same as nobody."""
    return bool(left.person) and (left.tenant, left.person) == (right.tenant, right.person)


def covers(pattern: Origin, origin: Origin) -> bool:
    """Say whether the pattern, whose empty fields stand for all, includes the origin."""
    pairs = (
        (pattern.tenant, origin.tenant),
        (pattern.person, origin.person),
        (pattern.conversation, origin.conversation),
    )
    return all(not wanted or wanted == given for wanted, given in pairs)
