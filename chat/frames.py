"""Read the frames that clients send. Everything in them is hostile until it has passed here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from chat.requests import TurnRequest
from common.errors import PortalError, _

MAX_FRAME_CHARS = 131_072
MAX_ID_CHARS = 64
MAX_SEQ = 1 << 31
MAX_CONFIRMED, MAX_CODE_CHARS = 32, 32


class BadFrame(PortalError):
    """A frame is not what the protocol says; `frame_id` is the client's own id where it could be read."""

    code = "bad_frame"
    http_status = 400
    message = _("The message from your browser could not be understood.")

    def __init__(self, *, frame_id: str | None = None) -> None:
        super().__init__()
        self.frame_id = frame_id


class FrameTooLarge(BadFrame):
    """A frame is larger than any message may be."""

    code = "frame_too_large"
    http_status = 413
    message = _("This message is too long. Please shorten it.")


class UnknownFrame(BadFrame):
    """The type is not one of the protocol's."""

    code = "unknown_type"


@dataclass(frozen=True, slots=True)
class Ask:
    """`chat.send`, `chat.regenerate`, `chat.edit`."""

    id: str
    request: TurnRequest


@dataclass(frozen=True, slots=True)
class Stop:
    """`chat.stop`."""

    id: str
    turn: UUID


@dataclass(frozen=True, slots=True)
class Resume:
    """`chat.resume`: go on after the last sequence number that was seen."""

    id: str
    turn: UUID
    after: int


@dataclass(frozen=True, slots=True)
class Ack:
    """`ack`: everything up to this sequence number has arrived."""

    id: str
    turn: UUID
    seq: int


@dataclass(frozen=True, slots=True)
class Ping:
    """`ping`."""

    id: str


Frame = Ask | Stop | Resume | Ack | Ping


def parse_frame(text: str | None) -> Frame:
    """Return what a text frame means. Raises BadFrame or one of its kinds; binary frames (None) are bad too."""
    if text is None:
        raise BadFrame
    if len(text) > MAX_FRAME_CHARS:
        raise FrameTooLarge
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadFrame from error
    if not isinstance(body, dict):
        raise BadFrame
    return _read(_Fields(body))


class _Fields:
    """The fields of one frame, by name and type; what does not fit raises BadFrame with the frame's id."""

    def __init__(self, body: dict[str, Any]) -> None:
        self._body = body
        self.id: str = ""
        given = body.get("id")
        if (
            not isinstance(given, str | int)
            or isinstance(given, bool)
            or not 0 < len(str(given)) <= MAX_ID_CHARS
        ):
            raise BadFrame
        if not _is_encodable(str(given)):
            raise BadFrame
        self.id = str(given)

    def text(self, name: str) -> str:
        value = self._body.get(name)
        # Lone surrogates are valid JSON escapes and no valid text: they can be neither stored nor sent.
        if not isinstance(value, str) or not _is_encodable(value):
            raise BadFrame(frame_id=self.id)
        return value

    def said(self) -> str:
        text = self.text("text").replace("\x00", "").strip()
        if not text:
            raise BadFrame(frame_id=self.id)
        return text

    def uuid(self, name: str) -> UUID:
        try:
            return UUID(self.text(name))
        except ValueError as error:
            raise BadFrame(frame_id=self.id) from error

    def uuid_or_none(self, name: str) -> UUID | None:
        return None if self._body.get(name) is None else self.uuid(name)

    def number(self, name: str) -> int:
        value = self._body.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_SEQ:
            raise BadFrame(frame_id=self.id)
        return value

    def codes(self, name: str) -> frozenset[str]:
        value = self._body.get(name, [])
        if not isinstance(value, list) or len(value) > MAX_CONFIRMED:
            raise BadFrame(frame_id=self.id)
        if not all(isinstance(code, str) and 0 < len(code) <= MAX_CODE_CHARS for code in value):
            raise BadFrame(frame_id=self.id)
        return frozenset(value)

    def flag(self, name: str) -> bool:
        value = self._body.get(name, False)
        if not isinstance(value, bool):
            raise BadFrame(frame_id=self.id)
        return value


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _read(fields: _Fields) -> Frame:
    match fields.text("type"):
        case "chat.send":
            request = TurnRequest(
                kind="send",
                text=fields.said(),
                conversation=fields.uuid_or_none("conversation"),
                temporary=fields.flag("temporary"),
                confirmed=fields.codes("confirmed"),
            )
            return Ask(fields.id, request)
        case "chat.regenerate":
            return Ask(fields.id, _about_message("regenerate", fields))
        case "chat.edit":
            return Ask(fields.id, _about_message("edit", fields, text=fields.said()))
        case "chat.stop":
            return Stop(fields.id, fields.uuid("turn"))
        case "chat.resume":
            return Resume(fields.id, fields.uuid("turn"), fields.number("after"))
        case "ack":
            return Ack(fields.id, fields.uuid("turn"), fields.number("seq"))
        case "ping":
            return Ping(fields.id)
        case _:
            raise UnknownFrame(frame_id=fields.id)


def _about_message(kind: Literal["regenerate", "edit"], fields: _Fields, *, text: str = "") -> TurnRequest:
    return TurnRequest(
        kind=kind, message=fields.uuid("message"), text=text, confirmed=fields.codes("confirmed")
    )
