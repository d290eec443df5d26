"""Decide which slot a conversation gets, and how much of what the slot holds it may use again.

What follows the system prompt is used again for the same person of the same tenant only: otherwise the time to the
first word would tell one person what another has written.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field

from inference.engine import Origin
from inference.engines.origins import NOBODY, covers, is_same_person


@dataclass(slots=True)
class Sequence:
    """Hold what one slot has computed: its tokens, how many of them are nobody's words, and whose the others are."""

    slot: int
    tokens: list[int] = field(default_factory=list)
    head: int = 0
    origin: Origin = NOBODY
    used: int = 0
    is_taken: bool = False
    must_forget: bool = False

    def usable(self, tokens: list[int], *, head: int, origin: Origin) -> int:
        """Return how many of its first tokens a prompt of that origin may use."""
        limit = len(tokens) if is_same_person(self.origin, origin) else min(head, self.head)
        return shared(self.tokens, tokens, limit=limit)


class Sequences:
    """Keep the slots: the free ones, and what each holds."""

    def __init__(self, slots: int) -> None:
        self.all = [Sequence(slot) for slot in range(slots)]
        self._clock = itertools.count(1)

    def take(self, tokens: list[int], *, head: int, origin: Origin) -> Sequence:
        """Take the free slot that holds most of a prompt beyond its head, else the one used longest ago."""
        free = [sequence for sequence in self.all if not sequence.is_taken]
        best = max(free, key=lambda sequence: sequence.usable(tokens, head=head, origin=origin))
        if best.usable(tokens, head=head, origin=origin) <= head:
            best = min(free, key=lambda sequence: sequence.used)
        best.is_taken = True
        return best

    def give_back(self, sequence: Sequence) -> None:
        """Note that a slot is free, and was in use until now."""
        sequence.is_taken = False
        sequence.used = next(self._clock)

    def of(self, origin: Origin) -> Iterable[Sequence]:
        """Return the slots that hold text of that origin, whose empty fields stand for all."""
        return [sequence for sequence in self.all if sequence.tokens and covers(origin, sequence.origin)]


def shared(left: list[int], right: list[int], *, limit: int) -> int:
    """Return how many first tokens are the same, at most `limit`."""
    limit = min(limit, len(left), len(right))
    if left[:limit] == right[:limit]:
        return limit
    return next(index for index in range(limit) if left[index] != right[index])
