"""Carry messages between pool and worker: one JSON array per line, its first element says what it is.

Both sides check everything they read. The pool treats its worker as hostile: a model file is foreign input
to a C++ library, so a line that is not exactly one of these messages ends the worker (`WireError`).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

from inference.engine import ChatMessage, Outcome, Prompt, Sampling, Usage, WorkerSpec

# A prompt may hold a long history before it is trimmed; an answer comes in pieces of a few bytes.
MAX_TO_WORKER = 4 * 1024 * 1024
MAX_FROM_WORKER = 64 * 1024


class WireError(Exception):
    """Say that the other side sent something that is no message. The text never quotes it."""


@dataclass(frozen=True, slots=True)
class Open:
    """Tell the worker what to load: its first message, once."""

    spec: WorkerSpec


@dataclass(frozen=True, slots=True)
class Run:
    """Hand a prompt to a free slot under a number that the pool chose."""

    turn: int
    prompt: Prompt


@dataclass(frozen=True, slots=True)
class Cancel:
    """Ask to end a generation; the worker answers with Ended in any case."""

    turn: int


@dataclass(frozen=True, slots=True)
class Ready:
    """Tell that the model is loaded."""


@dataclass(frozen=True, slots=True)
class Broken:
    """Tell why the model could not be loaded (a key of `LOAD_ERRORS`); the worker leaves after it."""

    code: str


@dataclass(frozen=True, slots=True)
class Progress:
    """Tell how much of a prompt is processed."""

    turn: int
    processed: int
    total: int


@dataclass(frozen=True, slots=True)
class Text:
    """Carry the next text of a generation."""

    turn: int
    text: str


@dataclass(frozen=True, slots=True)
class Ended:
    """Tell that a generation is over and its slot free."""

    turn: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Refused:
    """Tell that a generation could not be made; its slot is free."""

    turn: int
    code: Literal["too_long", "engine_error"]


ToWorker = Open | Run | Cancel
FromWorker = Ready | Broken | Progress | Text | Ended | Refused


def _dump(parts: list[Any], limit: int) -> bytes:
    line = json.dumps(parts, separators=(",", ":")).encode("ascii") + b"\n"
    if len(line) > limit:
        raise WireError("message too large")
    return line


def encode_to_worker(message: ToWorker) -> bytes:
    """Make the line for a message to the worker. Raise WireError if it is larger than MAX_TO_WORKER."""
    match message:
        case Open(spec):
            parts: list[Any] = ["open", asdict(spec)]
        case Run(turn, prompt):
            turns = [[m.role, m.content] for m in prompt.messages]
            parts = ["run", turn, turns, asdict(prompt.sampling)]
        case Cancel(turn):
            parts = ["cancel", turn]
    return _dump(parts, MAX_TO_WORKER)


def encode_from_worker(message: FromWorker) -> bytes:
    """Make the line for a message to the pool. Raise WireError if it is larger than MAX_FROM_WORKER."""
    match message:
        case Text(turn, text):
            parts: list[Any] = ["text", turn, text]
        case Progress(turn, processed, total):
            parts = ["progress", turn, processed, total]
        case Ended(turn, outcome):
            parts = ["ended", turn, outcome.reason, asdict(outcome.usage), outcome.tokens_per_second]
        case Refused(turn, code):
            parts = ["refused", turn, code]
        case Ready():
            parts = ["ready"]
        case Broken(code):
            parts = ["broken", code]
    return _dump(parts, MAX_FROM_WORKER)


def decode_to_worker(line: bytes) -> ToWorker:
    """Read a line from the pool. Raise WireError for anything else than a message."""
    try:
        match json.loads(line):
            case ["open", dict(spec)]:
                return Open(WorkerSpec(**spec))
            case ["run", int(turn), list(messages), dict(sampling)]:
                said = tuple(ChatMessage(role, content) for role, content in messages)
                settings = Sampling(**{**sampling, "stop": tuple(sampling["stop"])})
                return Run(turn, Prompt(said, settings))
            case ["cancel", int(turn)]:
                return Cancel(turn)
    except (ValueError, TypeError, KeyError, RecursionError):
        raise WireError("malformed message") from None
    raise WireError("unknown message")


def decode_from_worker(line: bytes) -> FromWorker:
    """Read a line from a worker. Raise WireError for anything else than a message."""
    try:
        match json.loads(line):
            case ["text", int(turn), str(text)]:
                text.encode()  # JSON can smuggle half a surrogate pair, which would break the socket later on
                return Text(turn, text)
            case ["progress", int(turn), int(processed), int(total)]:
                return Progress(turn, processed, total)
            case [
                "ended",
                int(turn),
                ("complete" | "length" | "cancelled") as reason,
                dict(usage),
                (float() | int()) as tps,
            ]:
                return Ended(turn, Outcome(reason, _usage(usage), float(tps)))
            case ["refused", int(turn), ("too_long" | "engine_error") as code]:
                return Refused(turn, code)
            case ["ready"]:
                return Ready()
            case ["broken", str(code)]:
                return Broken(code)
    except (ValueError, TypeError, RecursionError):
        raise WireError("malformed message") from None
    raise WireError("unknown message")


def _usage(counts: dict[str, Any]) -> Usage:
    if not all(type(count) is int and count >= 0 for count in counts.values()):
        raise TypeError
    return Usage(**counts)


class LineSplitter:
    """Cut a byte stream into lines, holding back at most `limit` bytes of an unfinished one."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that are complete now. Raise WireError when one is longer than the limit."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > self._limit or any(len(line) > self._limit for line in lines):
            raise WireError("message too large")
        return lines
