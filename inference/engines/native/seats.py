"""Give turns their slots, with as much computed already as they may use, and clear slots that must be forgotten."""

from __future__ import annotations

from inference.engine import Origin
from inference.engines.native.context import Context, State
from inference.engines.native.heads import Heads
from inference.engines.native.sequences import Sequence, Sequences
from inference.engines.native.shelf import Kept, Shelf
from inference.engines.native.turns import Turn
from inference.engines.origins import covers


class Seats:
    """Move conversations in and out of slots. Of the thread that computes."""

    def __init__(self, context: Context, slots: int, *, shelf: Shelf) -> None:
        self._context = context
        self._sequences = Sequences(slots)
        self._shelf = shelf
        self._heads = Heads(context, first=slots)

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
            keep = turn.head if self._heads.begin(sequence.slot, turn.tokens[: turn.head]) else keep
        keep = min(keep, len(turn.tokens) - 1)
        if not self._context.cut(sequence.slot, keep=keep):
            keep = 0
        sequence.tokens = turn.tokens[:keep]
        sequence.head, sequence.origin = turn.head, turn.origin
        turn.cached = keep

    def _restore(self, sequence: Sequence, state: State) -> bool:
        return self._context.load(sequence.slot, state)

    def note_head(self, turn: Turn) -> None:
        """Keep what was computed for a system prompt, once a turn has read all of it."""
        if len(turn.sequence.tokens) >= turn.head:
            self._heads.keep(turn.sequence.slot, turn.tokens[: turn.head])

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
