"""Say what a person may ask for in one turn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnRequest:
    """A turn that a person asks for, before anything has been checked.

    `message` names what is answered anew (`regenerate`: an answer) or rewritten (`edit`: one's own last message).
    `confirmed` are the codes of rules whose use of sensitive information the person agrees to, for this turn.
    """

    kind: Literal["send", "regenerate", "edit"]
    text: str = ""
    conversation: UUID | None = None
    message: UUID | None = None
    temporary: bool = False
    confirmed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who asks, as the edge has found out: only ids, and the address that the audit log masks.

    `session` is the digest of the session in which they ask, whose end ends the turn.
    """

    account_id: UUID
    tenant_id: UUID
    ip: str | None
    language: str
    session: str = ""
