"""List a person's conversations, newest first, one page after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db.models import Q

from accounts.models import User
from chat.models import Conversation
from common.errors import BadRequest

PAGE_SIZE = 200
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Until the year 9999, the last that a datetime can hold.
_MAX_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the list, right after one conversation; it stays good when that one is deleted or moves."""

    updated_at: datetime
    id: UUID

    @classmethod
    def read(cls, text: str) -> Place | None:
        """Return the place that a query string names, None for an empty one. Raises BadRequest."""
        if not text:
            return None
        moment, _, number = text.partition("-")
        if not (moment.isascii() and moment.isdigit() and len(moment) <= _MAX_DIGITS):
            raise BadRequest
        try:
            return cls(_EPOCH + timedelta(microseconds=int(moment)), UUID(hex=number))
        except (ValueError, OverflowError) as error:
            raise BadRequest from error

    def __str__(self) -> str:
        return f"{(self.updated_at - _EPOCH) // timedelta(microseconds=1)}-{self.id.hex}"


@dataclass(frozen=True, slots=True)
class ListPage:
    """Some of a person's conversations; they begin after `before` (None: with the newest), the next after `earlier`."""

    conversations: Sequence[Conversation]
    before: Place | None
    earlier: Place | None


def list_conversations(account: User, *, before: Place | None) -> ListPage:
    """Return the conversations that come after a place in the list, at most PAGE_SIZE."""
    owned = Conversation.objects.filter(owner_id=account.id).order_by("-updated_at", "-id")
    if before is not None:
        same_moment = Q(updated_at=before.updated_at, id__lt=before.id)
        owned = owned.filter(Q(updated_at__lt=before.updated_at) | same_moment)
    found = list(owned[: PAGE_SIZE + 1])
    shown = found[:PAGE_SIZE]
    is_last = len(found) <= PAGE_SIZE
    return ListPage(shown, before, None if is_last else Place(shown[-1].updated_at, shown[-1].id))
