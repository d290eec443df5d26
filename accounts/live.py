"""Reach a person's open sockets.

Groups of the channel layer: one per session, one per account, one per tenant. Sending is done when the transaction
commits, so that no socket acts on what is rolled back.

A command at the terminal is another process, and without Redis its messages reach nobody. It leaves word in a folder
that the server looks at several times a second.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from pathlib import Path
from uuid import UUID

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import transaction

from common.tracebacks import where

logger = logging.getLogger("portal.accounts")

SESSION_ENDED = "session.ended"
CONSENT_CHANGED = "consent.changed"
PARAMETERS_CHANGED = "parameters.changed"

# What runs without a socket hears of it here: turns, and temporary conversations.
RUNTIME_GROUP = "portal.runtime"
WORD_LOOKED_FOR_S = 0.3
TENANT_WORD = "tenant."


def account_group(account_id: UUID) -> str:
    """Return the group of an account's sockets."""
    return f"account.{account_id}"


def tenant_group(tenant_id: UUID) -> str:
    """Return the group of a tenant's sockets."""
    return f"tenant.{tenant_id}"


def session_group(digest: str) -> str:
    """Return the group of the sockets that were opened with one session."""
    return f"session.{digest}"


def end_live_sessions(account_id: UUID) -> None:
    """Close the person's sockets and stop their turns once the current transaction is committed."""
    _tell_on_commit(account_group(account_id), {"type": SESSION_ENDED, "account": str(account_id)})


def end_live_session(account_id: UUID, digest: str) -> None:
    """Close the sockets of one session and stop the turns that it began; the person's other sessions go on."""
    message = {"type": SESSION_ENDED, "account": str(account_id), "session": digest}
    _tell_on_commit(session_group(digest), message)


def end_tenant_sessions(tenant_id: UUID) -> None:
    """Close the sockets of everybody in the tenant and stop their turns once the current transaction is committed."""
    _tell_on_commit(tenant_group(tenant_id), {"type": SESSION_ENDED, "tenant": str(tenant_id)})


def announce_withdrawal(account_id: UUID) -> None:
    """Close the person's chat and stop their turns once the current transaction is committed."""
    _tell_on_commit(account_group(account_id), {"type": CONSENT_CHANGED, "account": str(account_id)})


def announce_notice(tenant_id: UUID) -> None:
    """Ask everybody in the tenant anew, and stop their turns, once the current transaction is committed."""
    _tell_on_commit(tenant_group(tenant_id), {"type": CONSENT_CHANGED, "tenant": str(tenant_id)})


def announce_parameters() -> None:
    """Let servers that share no folder with this process read the system parameters anew."""
    layer = get_channel_layer()
    if layer is not None:
        async_to_sync(layer.group_send)(RUNTIME_GROUP, {"type": PARAMETERS_CHANGED})


def leave_word(account_id: UUID) -> None:
    """Let the server that runs on this data folder end what a person has open; for other processes, after a commit."""
    folder = _word_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / str(account_id)).touch(mode=0o600)


def leave_word_of_tenant(tenant_id: UUID) -> None:
    """Let that server end what everybody in a tenant has open; for other processes, after a commit."""
    folder = _word_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / f"{TENANT_WORD}{tenant_id}").touch(mode=0o600)


async def hear_word() -> None:
    """Pass on what other processes leave, for as long as the server runs; what is left from before is dropped."""
    _take_word()
    while True:
        await asyncio.sleep(WORD_LOOKED_FOR_S)
        layer = get_channel_layer()
        for kind, ended in _take_word():
            group = tenant_group(ended) if kind == "tenant" else account_group(ended)
            for each in (RUNTIME_GROUP, group):
                await layer.group_send(each, {"type": SESSION_ENDED, kind: str(ended)})


def _take_word() -> list[tuple[str, UUID]]:
    """Return what ended, `account` or `tenant` each time, with its id."""
    taken = []
    try:
        for path in _word_folder().glob("*-*-*-*-*"):
            path.unlink(missing_ok=True)
            kind = "tenant" if path.name.startswith(TENANT_WORD) else "account"
            taken.append((kind, UUID(path.name.removeprefix(TENANT_WORD))))
    except (OSError, ValueError) as error:  # whatever lies there must not end the looking
        logger.error("word of ended sessions could not be taken: %s", where(error))
    return taken


def _word_folder() -> Path:
    return Path(settings.PORTAL.data_dir) / "ended"


def _tell_on_commit(group: str, message: dict[str, str]) -> None:
    layer = get_channel_layer()
    if layer is None:
        return
    for each in (RUNTIME_GROUP, group):
        transaction.on_commit(partial(async_to_sync(layer.group_send), each, message))
