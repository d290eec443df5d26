"""Reach a person's open sockets.

Groups of the channel layer: one per account, one per tenant. Sending is done when the transaction commits, so that no
socket acts on what is rolled back.
"""

from __future__ import annotations

from uuid import UUID

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction

SESSION_ENDED = "session.ended"
CONSENT_CHANGED = "consent.changed"


def account_group(account_id: UUID) -> str:
    """Return the group of an account's sockets."""
    return f"account.{account_id}"


def tenant_group(tenant_id: UUID) -> str:
    """Return the group of a tenant's sockets."""
    return f"tenant.{tenant_id}"


def end_live_sessions(account_id: UUID) -> None:
    """Close the person's sockets once the current transaction is committed."""
    send_on_commit(account_group(account_id), SESSION_ENDED)


def send_on_commit(group: str, message_type: str) -> None:
    """Tell a group something once the current transaction is committed."""
    layer = get_channel_layer()
    if layer is not None:
        transaction.on_commit(lambda: async_to_sync(layer.group_send)(group, {"type": message_type}))
