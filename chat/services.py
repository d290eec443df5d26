"""Change conversations outside a turn."""

from __future__ import annotations

from django.db import transaction

from accounts.models import User
from audit.services import record_event
from chat.models import Conversation


@transaction.atomic
def rename_conversation(conversation: Conversation, *, title: str, ip: str | None) -> None:
    """Give the conversation a title."""
    conversation.title = title
    conversation.save(update_fields=["title"])
    _record("conv.rename", conversation=conversation, ip=ip)


@transaction.atomic
def delete_conversation(conversation: Conversation, *, ip: str | None) -> None:
    """Delete the conversation with all its messages."""
    _record("conv.delete", conversation=conversation, ip=ip)
    conversation.delete()


@transaction.atomic
def erase_conversations(account: User, *, ip: str | None) -> int:
    """Delete every conversation of the person and return how many there were."""
    owned = Conversation.objects.filter(owner_id=account.id)
    count = owned.count()
    owned.delete()
    record_event(
        action="conv.erase_all",
        tenant_id=account.tenant_id,
        actor=account.id,
        object_type="account",
        object_id=str(account.id),
        ip=ip,
    )
    return count


def _record(action: str, *, conversation: Conversation, ip: str | None) -> None:
    record_event(
        action=action,
        tenant_id=conversation.tenant_id,
        actor=conversation.owner_id,
        object_type="conv",
        object_id=str(conversation.id),
        ip=ip,
    )
