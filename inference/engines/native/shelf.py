"""Keep in memory what conversations had computed when they lost their slot, within a bound per tenant."""

from __future__ import annotations

from dataclasses import dataclass

from inference.engine import Origin
from inference.engines.native.context import State
from inference.engines.native.sequences import shared
from inference.engines.origins import covers, is_same_person


@dataclass(frozen=True, slots=True)
class Kept:
    """Hold a conversation's tokens and what was computed for them."""

    origin: Origin
    tokens: list[int]
    head: int
    state: State


class Shelf:
    """Keep conversations, the one put there last at the end; the oldest ones make room. Of one thread."""

    def __init__(self, bytes_per_tenant: int) -> None:
        self._bound = bytes_per_tenant
        self._kept: list[Kept] = []

    def wants(self, origin: Origin, size: int) -> bool:
        """Say whether there is any use in keeping so many bytes of that origin."""
        return bool(origin.person) and 0 < size <= self._bound

    def put(self, kept: Kept) -> None:
        """Keep it, instead of what the same conversation had before."""
        self._kept = [known for known in self._kept if not _is_older(known, kept)]
        self._kept.append(kept)
        own = [known for known in self._kept if known.origin.tenant == kept.origin.tenant]
        excess = sum(len(known.state) for known in own) - self._bound
        for known in own:
            if excess <= 0:
                break
            self._kept.remove(known)
            excess -= len(known.state)

    def best(self, tokens: list[int], origin: Origin) -> tuple[Kept | None, int]:
        """Return what the same person has left here that begins most like a prompt, and how many tokens it shares."""
        best, most = None, 0
        for kept in self._kept:
            if is_same_person(kept.origin, origin):
                count = shared(kept.tokens, tokens, limit=len(tokens))
                if count > most:
                    best, most = kept, count
        return best, most

    def forget(self, origin: Origin) -> None:
        """Drop all of that origin; empty fields stand for all."""
        self._kept = [kept for kept in self._kept if not covers(origin, kept.origin)]

    def size(self, tenant: str) -> int:
        """Return the bytes kept for a tenant."""
        return sum(len(kept.state) for kept in self._kept if kept.origin.tenant == tenant)


def _is_older(known: Kept, new: Kept) -> bool:
    if not is_same_person(known.origin, new.origin):
        return False
    return known.tokens == new.tokens[: len(known.tokens)]
