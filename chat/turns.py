"""Keep the turns that run now, apart from the sockets that watch them.

A turn belongs to the server: its text gathers here, and any socket of its person may follow it from any point. When
nobody has followed it for the grace time, it is stopped and its slot is free.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from uuid import UUID, uuid4

from chat.requests import Person
from common.errors import NotFound, PortalError
from inference.engine import Queued
from inference.pool import Ticket

KEPT_AFTER_END_S = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnStarted:
    """What `turn.started` says. `title` is set when a kept conversation is new, `shown` when a rule masked it."""

    conversation: UUID
    message: UUID
    prompt: UUID
    temporary: bool
    title: str = ""
    shown: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnEnded:
    """What `turn.done` says."""

    status: str
    html: str = ""
    text: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    first_token_ms: int = 0
    total_ms: int = 0
    tokens_per_second: float = 0.0
    reason_code: str = ""
    reason_title: str = ""
    message: str = ""
    redacted_by: tuple[str, ...] = ()
    flagged_by: tuple[str, ...] = ()
    model: str = ""


class LiveTurn:
    """One turn while it runs, and a while after, for sockets that come back.

    Written by the pipeline, read by any number of followers; all on the event loop's thread.
    """

    def __init__(self, person: Person) -> None:
        self.id = uuid4()
        self.person = person
        self.place: Queued | None = None
        self.started: TurnStarted | None = None
        self.ended: TurnEnded | None = None
        self.refusal: PortalError | None = None
        self._pieces: list[str] = []
        self._ticket: Ticket | None = None
        self.answer: UUID | None = None
        self.is_forgotten = False
        self._stop_asked = False
        self._changed = asyncio.Event()

    # --- what the pipeline writes -------------------------------------------------------------------------------

    def hold(self, ticket: Ticket) -> None:
        """Remember how to stop; a stop that came earlier takes effect now."""
        self._ticket = ticket
        if self._stop_asked:
            ticket.stop()

    def store_as(self, answer: UUID) -> None:
        """Remember under which id the answer is stored: as long as it is being written it belongs to this turn."""
        self.answer = answer

    def queue(self, place: Queued) -> None:
        """Tell the place in the queue."""
        self.place = place
        self._tell()

    def start(self, started: TurnStarted) -> None:
        """Tell that the turn is stored and its answer is coming."""
        self.started = started
        self._tell()

    def add(self, text: str) -> None:
        """Add cleared text."""
        if text:
            self._pieces.append(text)
            self._tell()

    def withdraw(self) -> None:
        """Take back all text, so that a socket that comes back is not sent it again; the numbers stay."""
        self._pieces = [""] * len(self._pieces)

    def end(self, ended: TurnEnded) -> None:
        """Tell the result."""
        self.ended = ended
        self._tell()

    def refuse(self, refusal: PortalError) -> None:
        """Tell why the turn does not run."""
        self.refusal = refusal
        self._tell()

    # --- what followers read ------------------------------------------------------------------------------------

    @property
    def seq(self) -> int:
        """Return the number of the last piece of text; the first is 1."""
        return len(self._pieces)

    @property
    def is_over(self) -> bool:
        """Return whether nothing more will come."""
        return self.ended is not None or self.refusal is not None

    def text_after(self, seq: int) -> str:
        """Return the pieces after number `seq`, joined."""
        return "".join(self._pieces[seq:])

    async def wait_change(self) -> None:
        """Return when something new has been told."""
        await self._changed.wait()

    def stop(self) -> None:
        """End the turn in whatever phase it is; what was written so far stays."""
        self._stop_asked = True
        if self._ticket is not None:
            self._ticket.stop()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class Turns:
    """Find running turns by id, and stop those that nobody follows."""

    def __init__(self, *, grace_s: float) -> None:
        self._grace_s = grace_s
        self._turns: dict[UUID, LiveTurn] = {}
        self._timers: dict[UUID, asyncio.TimerHandle] = {}
        self._followers: dict[UUID, int] = {}

    def open(self, person: Person) -> LiveTurn:
        """Return a new turn of this person."""
        turn = LiveTurn(person)
        self._turns[turn.id] = turn
        self._followers[turn.id] = 0
        return turn

    def find(self, turn_id: UUID, *, account_id: UUID) -> LiveTurn:
        """Return the person's own turn. Raises NotFound for one that is unknown, long over or somebody else's."""
        turn = self._turns.get(turn_id)
        if turn is None or turn.person.account_id != account_id:
            raise NotFound
        return turn

    def running(self) -> list[LiveTurn]:
        """Return every turn that is not over."""
        return [turn for turn in self._turns.values() if not turn.is_over]

    def running_of(self, account_id: UUID) -> list[LiveTurn]:
        """Return the person's turns that are not over."""
        return [turn for turn in self.running() if turn.person.account_id == account_id]

    def running_in(self, conversation_id: UUID, *, account_id: UUID) -> LiveTurn | None:
        """Return the person's running turn in a conversation."""
        for turn in self.running_of(account_id):
            if turn.started is not None and turn.started.conversation == conversation_id:
                return turn
        return None

    def follow(self, turn: LiveTurn) -> None:
        """Count one more follower."""
        if turn.id not in self._turns:
            return
        self._followers[turn.id] += 1
        if not turn.is_over:
            self._cancel_timer(turn)

    def leave(self, turn: LiveTurn) -> None:
        """Count one follower less; the last one's leaving starts the grace time."""
        if turn.id not in self._turns:
            return
        self._followers[turn.id] -= 1
        if not self._followers[turn.id] and not turn.is_over:
            self._set_timer(turn, self._grace_s)

    def close(self, turn: LiveTurn) -> None:
        """Keep a turn that is over a little while for sockets that come back; a refused one has nothing to keep."""
        if turn.refusal is not None:
            self._forget(turn)
        else:
            self._set_timer(turn, KEPT_AFTER_END_S)

    def live_answers(self) -> frozenset[UUID]:
        """Return the ids of the answers that are being written now."""
        return frozenset(turn.answer for turn in self.running() if turn.answer is not None)

    def forget_person(self, account_id: UUID) -> None:
        """Stop every running turn of a person; none of them is remembered as a temporary conversation."""
        for turn in self.running_of(account_id):
            turn.is_forgotten = True
            turn.stop()

    def forget_session(self, digest: str) -> None:
        """Stop every running turn that was begun in a session, likewise."""
        for turn in self.running():
            if turn.person.session == digest:
                turn.is_forgotten = True
                turn.stop()

    def _forget(self, turn: LiveTurn) -> None:
        self._cancel_timer(turn)
        self._turns.pop(turn.id, None)
        self._followers.pop(turn.id, None)

    def _cancel_timer(self, turn: LiveTurn) -> None:
        timer = self._timers.pop(turn.id, None)
        if timer is not None:
            timer.cancel()

    def _set_timer(self, turn: LiveTurn, delay_s: float) -> None:
        self._cancel_timer(turn)
        self._timers[turn.id] = asyncio.get_running_loop().call_later(delay_s, self._expire, turn)

    def _expire(self, turn: LiveTurn) -> None:
        if turn.is_over:
            self._forget(turn)
        else:
            turn.stop()
