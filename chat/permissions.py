"""Reach conversations: one's own, or none."""

from __future__ import annotations

from uuid import UUID

from accounts.models import User
from chat.models import Conversation
from common.access import PermissionMissing


def own_conversation(account: User, conversation_id: UUID) -> Conversation:
    """Return the person's own conversation. Raises PermissionMissing, shown as a missing
    page and recorded, for any other, existing or not."""
    conversation: Conversation | None = Conversation.objects.filter(
        pk=conversation_id, owner_id=account.id
    ).first()
    if conversation is None:
        raise PermissionMissing("conversation")
    return conversation
