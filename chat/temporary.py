"""Hold temporary conversations: in memory, for a while, and nowhere else."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from common.errors import NotFound
from inference.engine import ChatMessage

KEPT_S = 1800
MAX_CONVERSATIONS = 2000


@dataclass(slots=True)
class _Temporary:
    account_id: UUID
    session: str
    touched: float
    messages: list[ChatMessage] = field(default_factory=list)


class TemporaryConversations:
    """Temporary conversations by id; each is its person's alone and is forgotten half an hour after its last turn.

    `on_forgotten` hears of each, so that nobody else keeps what this one no longer does.
    """

    def __init__(self, on_forgotten: Callable[[UUID], None]) -> None:
        self._kept: OrderedDict[UUID, _Temporary] = OrderedDict()
        self._on_forgotten = on_forgotten

    def __contains__(self, conversation: UUID) -> bool:
        """Return whether somebody can go on with it."""
        return conversation in self._kept

    def history(self, conversation: UUID, *, account_id: UUID) -> tuple[ChatMessage, ...]:
        """Return what was said. Raises NotFound for a conversation that is forgotten or somebody else's."""
        self._forget_old()
        kept = self._kept.get(conversation)
        if kept is None or kept.account_id != account_id:
            raise NotFound
        return tuple(kept.messages)

    def add(
        self, conversation: UUID, *, account_id: UUID, question: str, answer: str, session: str = ""
    ) -> None:
        """Add one exchange; the conversation lives no longer than the session that it was begun in."""
        kept = self._kept.setdefault(
            conversation, _Temporary(account_id=account_id, session=session, touched=time.monotonic())
        )
        kept.touched = time.monotonic()
        kept.messages += [ChatMessage("user", question), ChatMessage("assistant", answer)]
        self._kept.move_to_end(conversation)
        asyncio.get_running_loop().call_later(KEPT_S + 1, self._forget_old)
        self._forget_old()

    def forget_all(self, account_id: UUID) -> None:
        """Forget everything of a person."""
        self._drop([key for key, kept in self._kept.items() if kept.account_id == account_id])

    def forget_session(self, digest: str) -> None:
        """Forget what was begun in a session."""
        self._drop([key for key, kept in self._kept.items() if kept.session == digest])

    def _drop(self, conversations: list[UUID]) -> None:
        for conversation in conversations:
            del self._kept[conversation]
            self._on_forgotten(conversation)

    def _forget_old(self) -> None:
        limit = time.monotonic() - KEPT_S
        while self._kept:
            oldest = next(iter(self._kept.values()))
            if oldest.touched > limit and len(self._kept) <= MAX_CONVERSATIONS:
                return
            conversation, _ = self._kept.popitem(last=False)
            self._on_forgotten(conversation)
