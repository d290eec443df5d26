"""Reach a person's open sockets.

Groups of the channel layer: one per account, one per tenant. Sending is done when the transaction commits, so that no
socket acts on what is rolled back.
"""

from __future__ import annotations

from functools import partial
from uuid import UUID

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction

SESSION_ENDED = "session.ended"
CONSENT_CHANGED = "consent.changed"

# What runs without a socket hears of it here: turns, and temporary conversations.
RUNTIME_GROUP = "portal.runtime"


def account_group(account_id: UUID) -> str:
    """Return the group of an account's sockets."""
    return f"account.{account_id}"


def tenant_group(tenant_id: UUID) -> str:
    """Return the group of a tenant's sockets."""
    return f"tenant.{tenant_id}"


def end_live_sessions(account_id: UUID) -> None:
    """Close the person's sockets and stop their turns once the current transaction is committed."""
    _tell_on_commit(account_group(account_id), {"type": SESSION_ENDED, "account": str(account_id)})


def announce_withdrawal(account_id: UUID) -> None:
    """Close the person's chat and stop their turns once the current transaction is committed."""
    _tell_on_commit(account_group(account_id), {"type": CONSENT_CHANGED, "account": str(account_id)})


def announce_notice(tenant_id: UUID) -> None:
    """Ask everybody in the tenant anew, and stop their turns, once the current transaction is committed."""
    _tell_on_commit(tenant_group(tenant_id), {"type": CONSENT_CHANGED, "tenant": str(tenant_id)})


def _tell_on_commit(group: str, message: dict[str, str]) -> None:
    layer = get_channel_layer()
    if layer is None:
        return
    for each in (RUNTIME_GROUP, group):
        transaction.on_commit(partial(async_to_sync(layer.group_send), each, message))
