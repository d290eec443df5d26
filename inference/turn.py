"""Follow one turn from the queue to its end, and hand its events to whoever reads them."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, replace
from typing import Literal

from inference.engine import (
    Event,
    Finished,
    FinishReason,
    Origin,
    Outcome,
    Piece,
    Prompt,
    Queued,
    Started,
    Timings,
    Usage,
)
from inference.errors import InferenceError
from inference.forecast import Progress, Prospect, draws_for
from inference.queueing import Claim

Phase = Literal["waiting", "running", "over"]


class Mailbox:
    """Pass events from the worker's reader to one consumer, without a task or a queue object per event.

    Text that comes while the consumer is busy is joined: a slow reader gets fewer, longer pieces.
    """

    def __init__(self) -> None:
        self._events: deque[Event | InferenceError] = deque()
        self._text: list[str] = []
        self._waiter: asyncio.Future[None] | None = None

    def put(self, event: Event | InferenceError) -> None:
        """Add an event, or the error that ends the generation."""
        self._join_text()
        self._events.append(event)
        self._wake()

    def put_text(self, text: str) -> None:
        """Add text."""
        self._text.append(text)
        self._wake()

    async def get(self) -> Event:
        """Return the next event, as soon as there is one. Raise the error that ends the generation."""
        while not self._events and not self._text:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        if not self._events:
            self._join_text()
        event = self._events.popleft()
        if isinstance(event, InferenceError):
            raise event
        return event

    def _join_text(self) -> None:
        if self._text:
            self._events.append(Piece("".join(self._text)))
            self._text.clear()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


# A wait is told again when it has moved by more than both, seconds and a part of what is left, but not sooner than
# RETELL_S after the last time.
RETELL_S = 2.0
_MOVED_S = 1.0
_MOVED_PART = 0.2


@dataclass(frozen=True, slots=True)
class _Told:
    """Remember what was told of a place: when, and when its slot was to come."""

    position: int
    at: float
    start_at: float

    def is_news(self, before: _Told) -> bool:
        if self.position != before.position:
            return True
        moved = abs(self.start_at - before.start_at)
        enough = max(_MOVED_S, _MOVED_PART * (self.start_at - self.at))
        return moved > enough and self.at - before.at >= RETELL_S


class Turn:
    """Keep what the pool knows of one turn. Times are those of the event loop's clock, in seconds.

    `verdict` is why the pool itself ends it (stopped, timeout). `over` for the reader may come before the
    engine has confirmed: the pool then still counts its slot as taken, and after a while as lost. `heard` is when
    the engine last gave a sign of life for it, `forgets` what shall be forgotten once it has ended.
    """

    def __init__(self, number: int, claim: Claim, prompt: Prompt, *, now: float, trimmed: int = 0) -> None:
        self.number = number
        self.claim = claim
        self.prompt = prompt
        self.phase: Phase = "waiting"
        self.mailbox = Mailbox()
        self.verdict: FinishReason | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.characters = 0
        self.started_at = 0.0
        self.heard = 0.0
        self.has_signs = False
        self.is_lost = False
        self.forgets: list[Origin] = []
        self.first_at = 0.0
        self.last_at = 0.0
        self.pieces = 0
        self._queued_at = now
        self._trimmed = trimmed
        self._told: _Told | None = None
        self._draws = draws_for(number)
        self._prompt_tokens = 0

    def place(self, position: int, eta_ms: int, now: float) -> None:
        """Tell the place in the queue and the wait, if they are news since they were told last."""
        told = _Told(position, now, now + eta_ms / 1000)
        if self._told is None or told.is_news(self._told):
            self._told = told
            self.mailbox.put(Queued(position, eta_ms))

    def prospect(self, now: float, *, patience_s: float) -> Prospect:
        """Return what is known of it for an estimate, while it waits."""
        rest = self._queued_at + patience_s - now
        return Prospect(self.claim.tenant, self.prompt.sampling.max_new_tokens, rest, self._draws)

    def standing(self, now: float) -> Progress:
        """Return how far it is for an estimate, while it runs."""
        return Progress(
            tenant=self.claim.tenant,
            ran_s=now - self.started_at,
            made=self.pieces,
            decoding_s=self.last_at - self.first_at,
            limit=self.prompt.sampling.max_new_tokens,
            draws=self._draws,
            is_ending=self.phase == "over" or self.verdict is not None,
        )

    def begin(self, now: float) -> None:
        """Note that the engine has it."""
        self.phase = "running"
        self.started_at = self.heard = now
        self.mailbox.put(Started(_ms(now - self._queued_at)))

    def progress(self, total: int, now: float) -> None:
        """Note the size of the prompt in tokens."""
        self._hear(now)
        self._prompt_tokens = total

    def text(self, text: str, now: float) -> None:
        """Pass on text, unless the turn has been ended: what was stopped says nothing more."""
        self._hear(now)
        self.characters += len(text)
        if self.phase == "over" or self.verdict is not None:
            return
        self.pieces += 1
        self.last_at = now
        if self.pieces == 1:
            self.first_at = now
        self.mailbox.put_text(text)

    def finish(self, now: float, outcome: Outcome | None = None) -> None:
        """End it for the reader, with the engine's figures or, where it has not given any, with our own."""
        if self.phase == "over":
            return
        usage = outcome.usage if outcome else Usage(self._prompt_tokens, self.pieces)
        pace = outcome.tokens_per_second if outcome else 0.0
        usage = replace(usage, trimmed_messages=usage.trimmed_messages + self._trimmed)
        self._end()
        self.mailbox.put(Finished(self._reason(outcome), usage, self._timings(now, pace)))

    def fail(self, error: InferenceError) -> None:
        """End it for the reader with an error."""
        if self.phase != "over":
            self._end()
            self.mailbox.put(error)

    def set_timer(self, timer: asyncio.TimerHandle | None) -> None:
        """Replace the one timer that a turn has."""
        if self.timer is not None:
            self.timer.cancel()
        self.timer = timer

    def _hear(self, now: float) -> None:
        self.heard = now
        self.has_signs = True

    def _end(self) -> None:
        self.phase = "over"
        self.set_timer(None)

    def _reason(self, outcome: Outcome | None) -> FinishReason:
        if self.verdict is not None:
            return self.verdict
        if outcome is None or outcome.reason == "cancelled":
            return "stopped"
        return outcome.reason

    def _timings(self, now: float, pace: float) -> Timings:
        started = self.started_at or now
        return Timings(
            queue_ms=_ms(started - self._queued_at),
            first_token_ms=_ms(self.first_at - started) if self.first_at else 0,
            total_ms=_ms(now - self._queued_at),
            tokens_per_second=pace,
        )


def _ms(seconds: float) -> int:
    return max(0, round(seconds * 1000))
