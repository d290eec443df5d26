"""Hold one answer while it is made."""

from __future__ import annotations

import threading
import time
from typing import Literal

from inference.engine import EngineError, Origin, Outcome, Sink, Usage
from inference.engines.native.sampler import Sampler
from inference.engines.native.sequences import Sequence
from inference.engines.native.template import Encoded
from inference.engines.speech import Speech

Reason = Literal["complete", "length", "cancelled"]

# Seconds between two signs of life while a prompt is read.
_PULSE_S = 0.1


class Turn:
    """Follow an answer from its prompt to its end. Its own thread waits in `outcome`; the loop does all else."""

    def __init__(
        self, prompt: Encoded, origin: Origin, *, sampler: Sampler, speech: Speech, sink: Sink, most: int
    ) -> None:
        self.tokens = prompt.tokens
        self.head = prompt.head
        self.origin = origin
        self.sampler = sampler
        self.speech = speech
        self.sink = sink
        # Set when it gets its slot.
        self.sequence: Sequence
        self.cached = 0
        self.is_begun = False
        # The token to compute next, once the prompt has been read.
        self.next = -1
        self.made = 0
        self._most = most
        self._first_at = self._last_at = self._pulse_at = 0.0
        self._reason: Reason | None = None
        self._ended = threading.Event()

    @property
    def lacks(self) -> int:
        """Return how many tokens of the prompt have not been read yet."""
        return 0 if self.next >= 0 else len(self.tokens) - len(self.sequence.tokens)

    def pulse(self, now: float) -> None:
        """Tell the reader how far the prompt is, now and then, and in any case when it is read."""
        if now - self._pulse_at >= _PULSE_S or not self.lacks:
            self._pulse_at = now
            self.sink.progress(processed=len(self.sequence.tokens), total=len(self.tokens))

    def hear(self, token: int, piece: bytes, now: float) -> Reason | None:
        """Take the next token. Return why the answer ends with it."""
        self.next = token
        self.made += 1
        self._first_at = self._first_at or now
        self._last_at = now
        if self.speech.say(piece):
            return "complete"
        return "length" if self.made >= self._most else None

    def end(self, reason: Reason | None) -> None:
        """Let its thread go on; None stands for a failure."""
        self._reason = reason
        self._ended.set()

    def outcome(self, *, trimmed: int) -> Outcome:
        """Wait for the end and sum up. Raise EngineError for a failure."""
        self._ended.wait()
        if self._reason is None:
            raise EngineError
        took = self._last_at - self._first_at
        pace = round((self.made - 1) / took, 1) if took > 0 else 0.0
        return Outcome(self._reason, Usage(len(self.tokens), self.made, self.cached, trimmed), pace)


def now() -> float:
    """Return the clock that all of them use, in seconds."""
    return time.monotonic()
