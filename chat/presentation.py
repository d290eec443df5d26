"""Turn stored conversations into what the pages show."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, gettext

from chat.models import Author, Conversation, Message
from common.markdown import render_markdown
from crypto.errors import KeyDestroyed, SealBroken
from policy.services import rule_title


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One message on the page. `text` is plain, `html` is safe."""

    id: UUID
    author: str
    text: str
    html: SafeString
    status: str
    created_at: datetime
    model_name: str
    tokens: int | None
    first_token_ms: int | None
    tokens_per_second: float | None
    reason: dict[str, str] | None


@dataclass(frozen=True, slots=True)
class ConversationLink:
    """One conversation in the side bar."""

    id: UUID
    title: str
    is_current: bool


def show_conversation(conversation: Conversation) -> ConversationLink:
    """Return the conversation that the page is about."""
    return ConversationLink(conversation.id, _opened(conversation, "title"), is_current=True)


def show_messages(messages: Iterable[Message]) -> list[Entry]:
    """Return the messages as the thread shows them; opens each seal once."""
    return [_entry(message) for message in messages]


def _entry(message: Message) -> Entry:
    body = _opened(message, "body")
    is_answer = message.author == Author.MODEL
    return Entry(
        id=message.id,
        author=message.author,
        text="" if is_answer else body,
        html=mark_safe(render_markdown(body) if is_answer else ""),  # noqa: S308 (render_markdown cleans it)
        status=message.status,
        created_at=message.created_at,
        model_name=message.model_name,
        tokens=message.completion_tokens,
        first_token_ms=message.first_token_ms,
        tokens_per_second=message.tokens_per_second,
        reason=_reason(message.reason),
    )


def _opened(row: Conversation | Message, field: str) -> str:
    """Return a sealed text, or say that it cannot be opened: one damaged text must not take the others along."""
    try:
        return str(getattr(row, field))
    except (SealBroken, KeyDestroyed):
        return gettext("(This text cannot be opened: it was damaged or its key destroyed.)")


def _reason(code: str) -> dict[str, str] | None:
    return {"code": code, "title": rule_title(code, language=get_language() or "")} if code else None


def used_tokens(messages: list[Message]) -> int:
    """Return how much of the context the last answered turn took."""
    for message in reversed(messages):
        if message.prompt_tokens:
            return message.prompt_tokens + (message.completion_tokens or 0)
    return 0


def group_by_day(
    conversations: Iterable[Conversation], *, current: UUID | None
) -> list[tuple[str, list[ConversationLink]]]:
    """Return the side bar's groups: today, yesterday, the last seven days, older; newest first."""
    today = timezone.localdate()
    groups: dict[str, list[ConversationLink]] = {}
    for conversation in conversations:
        label = _day_label(timezone.localdate(conversation.updated_at), today=today)
        title = _opened(conversation, "title")
        link = ConversationLink(conversation.id, title, conversation.id == current)
        groups.setdefault(label, []).append(link)
    return list(groups.items())


def _day_label(day: date, *, today: date) -> str:
    if day >= today:
        return gettext("Today")
    if day == today - timedelta(days=1):
        return gettext("Yesterday")
    if day > today - timedelta(days=7):
        return gettext("Last 7 days")
    return gettext("Older")
