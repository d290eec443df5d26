"""Compute all answers at once, in one thread: continuous batching over `llama_decode`.

Each step takes the last token of every answer that is being spoken, and a chunk of the prompts that are being read.
Whoever arrives, stops or fails does so between two steps.
"""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass, field

from inference.engine import EngineError, LoadError, Origin
from inference.engines.native.context import Context
from inference.engines.native.model import Model
from inference.engines.native.pace import ANCHORS, Pace, share
from inference.engines.native.seats import Seats
from inference.engines.native.turns import Reason, Turn, now

# Whoever arrives may have so many tokens read at once: a short question is answered at once, and one step in some
# hundred that takes longer is not felt.
_WELCOME = 32


@dataclass(slots=True)
class _Part:
    """Be one turn's share of a step: tokens to add, and whether their last one shall say what comes next."""

    turn: Turn
    tokens: list[int]
    speaks: bool
    row: int = -1


@dataclass(frozen=True, slots=True)
class _Forget:
    """Ask the loop to forget an origin, and tell when that is done."""

    origin: Origin
    done: threading.Event = field(default_factory=threading.Event)


class BatchLoop:
    """Own the context and everything in it. Its thread lives as long as the process."""

    def __init__(self, context: Context, model: Model, seats: Seats, *, pace: Pace) -> None:
        self._context = context
        self._model = model
        self._seats = seats
        self._pace = pace
        self._inbox: queue.SimpleQueue[Turn | _Forget] = queue.SimpleQueue()
        self._turns: list[Turn] = []
        self._is_broken = False
        self._is_warm = threading.Event()
        threading.Thread(target=self._run, daemon=True, name="batches").start()
        self._is_warm.wait()
        if self._is_broken:
            raise LoadError("model_invalid")

    def submit(self, turn: Turn) -> None:
        """Take a turn; no more of them at a time than there are slots."""
        self._inbox.put(turn)
        if self._is_broken:
            self._give_up()

    def forget(self, origin: Origin) -> None:
        """Clear what is kept of that origin. Return when that is done, but for turns that still run."""
        request = _Forget(origin)
        self._inbox.put(request)
        if self._is_broken:
            self._give_up()
        request.done.wait()

    def _run(self) -> None:
        try:
            self._pace.begin(self._warm_up())
            self._is_warm.set()
            while True:
                self._take_in()
                if self._turns:
                    self._step()
        except EngineError:
            # The warm-up failed: whoever makes the loop waits for that, and says so.
            return
        finally:
            self._is_broken = True
            self._is_warm.set()
            self._give_up()

    def _warm_up(self) -> list[float]:
        """Return how long steps of ANCHORS' sizes take. Raise EngineError if the model computes nothing.

        In this thread: OpenMP keeps threads for each thread that computes, and lets none of them spin where they are
        more than the processor has cores. To compute elsewhere as well, even once, costs a third of the speed.
        """
        self._time_step(ANCHORS[-1])
        # Twice each, as a busy machine may draw one of them out to twenty times its length.
        return [min(self._time_step(size), self._time_step(size)) for size in ANCHORS]

    def _time_step(self, size: int) -> float:
        self._context.clear_batch()
        self._context.add_all([0] * size, position=0, slot=0, speaks=True)
        began = now()
        if not self._context.decode():
            raise EngineError
        seconds = now() - began
        self._context.cut(0, keep=0)
        return seconds

    def _give_up(self) -> None:
        """End all turns with a failure, so that nobody waits for a thread that has gone."""
        for turn in self._turns:
            turn.end(None)
        while not self._inbox.empty():
            waiting = self._inbox.get()
            if isinstance(waiting, Turn):
                waiting.end(None)
            else:
                waiting.done.set()

    def _take_in(self) -> None:
        """Take what has arrived; wait for it where there is nothing else to do."""
        while not self._turns or not self._inbox.empty():
            arrived = self._inbox.get()
            if isinstance(arrived, Turn):
                self._seats.seat(arrived)
                self._turns.append(arrived)
            else:
                self._seats.forget(arrived.origin)
                arrived.done.set()

    def _step(self) -> None:
        for turn in [turn for turn in self._turns if turn.sink.wait_cancelled(0)]:
            self._end(turn, "cancelled")
        if not self._turns:
            return
        began = now()
        speaking = [_Part(turn, [turn.next], speaks=True) for turn in self._turns if turn.next >= 0]
        reading = self._chunks([turn for turn in self._turns if turn.next < 0], len(speaking))
        self._compute([*speaking, *reading])
        self._learn(len(speaking), sum(len(part.tokens) for part in reading), now() - began)

    def _chunks(self, turns: list[Turn], speaking: int) -> list[_Part]:
        """Share what this step may read among the prompts that are not read yet."""
        if not turns:
            return []
        fresh = sum(min(turn.lacks, _WELCOME) for turn in turns if not turn.is_begun)
        budget = max(self._pace.chunk(speaking), min(fresh, self._pace.chunk(0)))
        budget = min(budget, self._context.capacity - speaking)
        parts = []
        for turn, most in zip(turns, share(budget, [turn.lacks for turn in turns]), strict=True):
            if most:
                at = len(turn.sequence.tokens)
                turn.is_begun = True
                parts.append(_Part(turn, turn.tokens[at : at + most], speaks=at + most == len(turn.tokens)))
        return parts

    def _compute(self, parts: list[_Part]) -> None:
        self._context.clear_batch()
        for part in parts:
            self._add(part)
        if self._context.decode():
            for part in parts:
                self._settle(part)
        else:
            self._compute_one_by_one(parts)

    def _add(self, part: _Part) -> None:
        sequence = part.turn.sequence
        part.row = self._context.add_all(
            part.tokens, position=len(sequence.tokens), slot=sequence.slot, speaks=part.speaks
        )

    def _compute_one_by_one(self, parts: list[_Part]) -> None:
        """Find out which turn the library refuses; the others go on."""
        for part in parts:
            sequence = part.turn.sequence
            self._context.cut(sequence.slot, keep=len(sequence.tokens))
        for part in parts:
            self._context.clear_batch()
            self._add(part)
            if self._context.decode():
                self._settle(part)
            else:
                part.turn.sequence.must_forget = True
                self._end(part.turn, None)

    def _settle(self, part: _Part) -> None:
        """Note what was computed, and let the turn say its next word."""
        turn = part.turn
        turn.sequence.tokens += part.tokens
        if turn.next < 0:
            self._seats.note_head(turn)
            turn.pulse(now())
        if part.speaks:
            self._speak(turn, part.row)

    def _speak(self, turn: Turn, row: int) -> None:
        try:
            token = turn.sampler.choose(self._context, row)
        except EngineError:
            self._end(turn, None)
            return
        reason: Reason | None = "complete"
        if not self._model.is_end(token):
            reason = turn.hear(token, self._model.piece(token), now())
        if reason:
            turn.speech.finish()
            self._end(turn, reason)

    def _end(self, turn: Turn, reason: Reason | None) -> None:
        self._turns.remove(turn)
        turn.sampler.close()
        self._seats.leave(turn)
        turn.end(reason)

    def _learn(self, speaking: int, chunk: int, seconds: float) -> None:
        self._pace.note(speaking=speaking, chunk=chunk, seconds=seconds)
