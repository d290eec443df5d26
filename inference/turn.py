"""Follow one turn from the queue to its end, and hand its events to whoever reads them."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import replace
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


class Turn:
    """Keep what the pool knows of one turn. Times are those of the event loop's clock, in seconds.

    `verdict` is why the pool itself ends it (stopped, timeout). `over` for the reader may come before the
    engine has confirmed: the pool then still counts its slot as taken, and after a while as lost. `heard` is when
    the engine last gave a sign of life for it, `forgets` what shall be forgotten once it has ended.
    """

    def __init__(self, number: int, tenant: str, prompt: Prompt, *, now: float, trimmed: int = 0) -> None:
        self.number = number
        self.tenant = tenant
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
        self._queued_at = now
        self._trimmed = trimmed
        self._first_at = 0.0
        self._place: tuple[int, int] | None = None
        self._pieces = 0
        self._prompt_tokens = 0

    def place(self, position: int, eta_ms: int) -> None:
        """Tell the place in the queue, if it is another one than last time."""
        if self._place is None or self._place[0] != position:
            self._place = (position, eta_ms)
            self.mailbox.put(Queued(position, eta_ms))

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
        self._pieces += 1
        if self._pieces == 1:
            self._first_at = now
        self.mailbox.put_text(text)

    def finish(self, now: float, outcome: Outcome | None = None) -> None:
        """End it for the reader, with the engine's figures or, where it has not given any, with our own."""
        if self.phase == "over":
            return
        usage = outcome.usage if outcome else Usage(self._prompt_tokens, self._pieces)
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
            first_token_ms=_ms(self._first_at - started) if self._first_at else 0,
            total_ms=_ms(now - self._queued_at),
            tokens_per_second=pace,
        )


def _ms(seconds: float) -> int:
    return max(0, round(seconds * 1000))
