"""Carry messages between pool and worker: one JSON array per line, its first element says what it is.

Both sides check everything they read. The pool treats its worker as hostile: a model file is foreign input
to a C++ library, so a line that is not exactly one of these messages ends the worker (`WireError`).
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, astuple, dataclass
from typing import Any, Literal, get_args

from inference.engine import (
    ChatMessage,
    EngineName,
    LayerCheck,
    Origin,
    Outcome,
    Prompt,
    Sampling,
    ThreadTrial,
    Usage,
    WorkerReport,
    WorkerSpec,
)

# A prompt may hold a long history before it is trimmed; an answer comes in pieces of a few bytes.
MAX_TO_WORKER = 4 * 1024 * 1024
MAX_FROM_WORKER = 64 * 1024
MAX_REPORT_CHARS = 200
# What every database takes as a count, and more cores than any machine has.
MAX_COUNT = 2**31 - 1
MAX_THREADS = 4096
_MALFORMED = (ValueError, TypeError, KeyError, OverflowError, RecursionError)


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
class Count:
    """Ask how many tokens a prompt has; `number` comes back with the answer."""

    number: int
    prompt: Prompt


@dataclass(frozen=True, slots=True)
class Forget:
    """Ask to drop what is kept of an origin's text. Not answered."""

    origin: Origin


@dataclass(frozen=True, slots=True)
class Ready:
    """Tell that the model is loaded, and what the worker has become."""

    report: WorkerReport


@dataclass(frozen=True, slots=True)
class Counted:
    """Tell how many tokens a prompt has; -1 where that could not be found out."""

    number: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Broken:
    """Tell why the model could not be loaded (a key of `LOAD_ERRORS`); the worker leaves after it.

    `cage` is what it found out about its cage, where that is the reason.
    """

    code: str
    cage: tuple[LayerCheck, ...] = ()


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
    code: Literal["too_long", "unsupported", "engine_error"]


ToWorker = Open | Run | Cancel | Count | Forget
FromWorker = Ready | Broken | Progress | Text | Ended | Refused | Counted


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
            parts = ["run", turn, *_prompt_parts(prompt)]
        case Cancel(turn):
            parts = ["cancel", turn]
        case Count(number, prompt):
            parts = ["count", number, *_prompt_parts(prompt)]
        case Forget(origin):
            parts = ["forget", asdict(origin)]
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
        case Ready(report):
            parts = ["ready", asdict(report)]
        case Counted(number, tokens):
            parts = ["counted", number, tokens]
        case Broken(code, cage):
            parts = ["broken", code, [asdict(check) for check in cage]]
    return _dump(parts, MAX_FROM_WORKER)


def decode_to_worker(line: bytes) -> ToWorker:
    """Read a line from the pool. Raise WireError for anything else than a message."""
    try:
        match json.loads(line):
            case ["open", dict(spec)]:
                return Open(WorkerSpec(**spec))
            case ["run", int(turn), list(messages), dict(sampling), dict(origin)]:
                return Run(turn, _prompt(messages, sampling, origin))
            case ["cancel", int(turn)]:
                return Cancel(turn)
            case ["count", int(number), list(messages), dict(sampling), dict(origin)]:
                return Count(number, _prompt(messages, sampling, origin))
            case ["forget", dict(origin)]:
                return Forget(Origin(**origin))
    except _MALFORMED:
        raise WireError("malformed message") from None
    raise WireError("unknown message")


def decode_from_worker(line: bytes) -> FromWorker:
    """Read a line from a worker. Raise WireError for anything else than a message."""
    try:
        match json.loads(line):
            case ["text", int(turn), str(text)] if text:
                text.encode()  # JSON can smuggle half a surrogate pair, which would break the socket later on
                return Text(turn, text)
            case ["progress", int(turn), int(processed), int(total)] if _are_counts(processed, total):
                return Progress(turn, processed, total)
            case [
                "ended",
                int(turn),
                ("complete" | "length" | "cancelled") as reason,
                dict(usage),
                (float() | int()) as tps,
            ]:
                return Ended(turn, Outcome(reason, _usage(usage), _pace(tps)))
            case ["refused", int(turn), ("too_long" | "unsupported" | "engine_error") as code]:
                return Refused(turn, code)
            case ["ready", dict(report)]:
                return Ready(_report(report))
            case ["counted", int(number), int(tokens)] if tokens == -1 or _are_counts(tokens):
                return Counted(number, tokens)
            case ["broken", str(code), list(cage)]:
                return Broken(code, _cage(cage))
    except _MALFORMED:
        raise WireError("malformed message") from None
    raise WireError("unknown message")


def _prompt_parts(prompt: Prompt) -> list[Any]:
    said = [[message.role, message.content] for message in prompt.messages]
    return [said, asdict(prompt.sampling), asdict(prompt.origin)]


def _prompt(messages: list[Any], sampling: dict[str, Any], origin: dict[str, Any]) -> Prompt:
    said = tuple(ChatMessage(role, content) for role, content in messages)
    return Prompt(said, Sampling(**{**sampling, "stop": tuple(sampling["stop"])}), Origin(**origin))


def _report(parts: dict[str, Any]) -> WorkerReport:
    """Read a report. Raise TypeError, ValueError or KeyError unless every part has its type and a sane length."""
    trials = tuple(_trial(**one) for one in parts["trials"])
    report = WorkerReport(**{**parts, "trials": trials, "cage": _cage(parts["cage"])})
    if report.engine not in get_args(EngineName) or not _are_plain(report.backend):
        raise TypeError
    if not _are_counts(report.threads) or report.threads > MAX_THREADS:
        raise TypeError
    return report


def _trial(*, threads: int, quiet: float, busy: float) -> ThreadTrial:
    """Read a row about threads. Raise TypeError or OverflowError as above."""
    if not _are_counts(threads) or threads > MAX_THREADS:
        raise TypeError
    return ThreadTrial(threads, _pace(quiet), _pace(busy))


def _cage(rows: list[dict[str, Any]]) -> tuple[LayerCheck, ...]:
    """Read the rows about a cage. Raise TypeError as above."""
    cage = tuple(LayerCheck(**row) for row in rows)
    answers: list[object] = [check.holds for check in cage]
    texts = [text for check in cage for text in (check.layer, check.attempt, check.detail)]
    if not all(isinstance(answer, bool) for answer in answers) or not _are_plain(*texts):
        raise TypeError
    return cage


def _are_plain(*texts: object) -> bool:
    """Say whether these are texts that fit on a line and that a terminal takes for nothing else."""
    return all(
        isinstance(text, str) and len(text) <= MAX_REPORT_CHARS and text.isprintable() for text in texts
    )


def _usage(counts: dict[str, Any]) -> Usage:
    usage = Usage(**counts)
    if not _are_counts(*astuple(usage)):
        raise TypeError
    return usage


def _are_counts(*numbers: object) -> bool:
    """Say whether these are numbers that something can be counted to, and that every database takes."""
    return all(type(number) is int and 0 <= number <= MAX_COUNT for number in numbers)


def _pace(number: float) -> float:
    """Read tokens per second. Raise TypeError or OverflowError: JSON as Python reads it has NaN and infinity."""
    pace = float(number)
    if not math.isfinite(pace) or pace < 0:
        raise TypeError
    return pace


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
