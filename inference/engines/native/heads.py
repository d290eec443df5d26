"""Keep system prompts computed: they are the same for everybody and nobody's secret."""

from __future__ import annotations

from collections import OrderedDict

from inference.engines.native.context import Context

# Shorter ones are read again as soon.
_WORTH_KEEPING = 16
# System prompts are few. These are the sequences and tokens that a context has to spare for them.
SPARE = (4, 2048)


class Heads:
    """Keep one sequence per system prompt, from which slots begin. Of the thread that computes."""

    def __init__(self, context: Context, *, first: int) -> None:
        self._context = context
        self._known: OrderedDict[tuple[int, ...], int] = OrderedDict()
        self._unused = [first + number for number in range(SPARE[0])]

    def begin(self, slot: int, head: list[int]) -> bool:
        """Put a system prompt into a slot, and nothing else. Return False if it is not known."""
        key = tuple(head)
        if key not in self._known:
            return False
        self._known.move_to_end(key)
        self._context.copy(self._known[key], slot, tokens=len(head))
        return True

    def keep(self, slot: int, head: list[int]) -> None:
        """Keep the system prompt that a slot begins with; the ones not used for longest make room."""
        key = tuple(head)
        if key in self._known or not _WORTH_KEEPING <= len(head) <= SPARE[1]:
            return
        while not self._unused or sum(map(len, self._known)) + len(head) > SPARE[1]:
            _oldest, sequence = self._known.popitem(last=False)
            self._context.cut(sequence, keep=0)
            self._unused.append(sequence)
        sequence = self._known[key] = self._unused.pop()
        self._context.copy(slot, sequence, tokens=len(head))
