"""Give turns their slots, with as much computed already as they may use, and clear slots that must be forgotten."""

from __future__ import annotations

from inference.engine import Origin
from inference.engines.native.context import Context, State
from inference.engines.native.sequences import Sequence, Sequences, covers
from inference.engines.native.shelf import Heads, Kept, Shelf
from inference.engines.native.turns import Turn

# Shorter system prompts are read again sooner than copied.
_WORTH_KEEPING = 16


class Seats:
    """Move conversations in and out of slots. Of the thread that computes."""

    def __init__(self, context: Context, slots: int, *, shelf: Shelf) -> None:
        self._context = context
        self._sequences = Sequences(slots)
        self._shelf = shelf
        self._heads = Heads()

    def seat(self, turn: Turn) -> None:
        """Give a turn a slot. At least one token of its prompt is left to be computed."""
        sequence = self._sequences.take(turn.tokens, head=turn.head, origin=turn.origin)
        turn.sequence = sequence
        keep = sequence.usable(turn.tokens, head=turn.head, origin=turn.origin)
        kept, found = self._shelf.best(turn.tokens, turn.origin)
        if keep <= turn.head:
            self._put_away(sequence)
        if kept is not None and found > max(keep, turn.head):
            keep = found if self._restore(sequence, kept.state) else 0
        elif keep < turn.head:
            keep = self._start_with_head(turn, sequence, keep)
        keep = min(keep, len(turn.tokens) - 1)
        if not self._context.cut(sequence.slot, keep=keep):
            keep = 0
        sequence.tokens = turn.tokens[:keep]
        sequence.head, sequence.origin = turn.head, turn.origin
        turn.cached = keep

    def _start_with_head(self, turn: Turn, sequence: Sequence, keep: int) -> int:
        state = self._heads.get(turn.tokens[: turn.head])
        if state is None:
            return keep
        return turn.head if self._restore(sequence, state) else 0

    def _restore(self, sequence: Sequence, state: State) -> bool:
        return self._context.load(sequence.slot, state)

    def until_head(self, turn: Turn) -> int:
        """Return how many tokens a chunk may take so that it ends with a system prompt worth keeping; 0 for any."""
        rest = turn.head - len(turn.sequence.tokens)
        if rest <= 0 or turn.head < _WORTH_KEEPING or self._heads.get(turn.tokens[: turn.head]) is not None:
            return 0
        return rest

    def note_head(self, turn: Turn) -> None:
        """Keep what was computed for a system prompt, at the moment when the slot holds nothing else."""
        sequence = turn.sequence
        if len(sequence.tokens) == turn.head >= _WORTH_KEEPING and self._heads.get(sequence.tokens) is None:
            self._heads.put(sequence.tokens, self._context.save(sequence.slot))

    def _put_away(self, sequence: Sequence) -> None:
        """Keep a conversation that loses its slot, where its tenant has room for it."""
        if len(sequence.tokens) > sequence.head:
            size = self._context.saved_size(sequence.slot)
            if self._shelf.wants(sequence.origin, size):
                state = self._context.save(sequence.slot)
                self._shelf.put(Kept(sequence.origin, sequence.tokens, sequence.head, state))

    def leave(self, turn: Turn) -> None:
        """Take the slot back. What nobody's prompt left there, or what must be forgotten, is cleared at once."""
        sequence = turn.sequence
        if sequence.must_forget or not sequence.origin.person:
            self._clear(sequence)
        self._sequences.give_back(sequence)

    def forget(self, origin: Origin) -> None:
        """Clear all that is kept of that origin; slots in use are cleared when their turn ends."""
        self._shelf.forget(origin)
        for sequence in self._sequences.all:
            if not covers(origin, sequence.origin):
                continue
            if sequence.is_taken:
                sequence.must_forget = True
            else:
                self._clear(sequence)

    def _clear(self, sequence: Sequence) -> None:
        self._context.cut(sequence.slot, keep=0)
        sequence.tokens = []
        sequence.head, sequence.origin, sequence.must_forget = 0, Origin(), False
