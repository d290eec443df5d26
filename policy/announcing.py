"""Tell every process that an organisation has other rules now: servers of this machine and of others.

Processes of one machine see another stamp file; those that share a channel layer get a message as well.
"""

from __future__ import annotations

import os
import secrets
from functools import partial
from pathlib import Path

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import transaction

from accounts.live import RUNTIME_GROUP

POLICY_CHANGED = "policy.changed"

Stamp = tuple[int, int]


def stamp_file() -> Path:
    """Return the file that is another one after each change."""
    return Path(settings.PORTAL.data_dir) / "policy.stamp"


def read_stamp() -> Stamp:
    """Return what tells two stamps apart; (0, 0) before there is one. Costs a microsecond or two."""
    try:
        found = stamp_file().stat()
    except FileNotFoundError:
        return 0, 0
    return found.st_ino, found.st_mtime_ns


def announce_rules() -> None:
    """Tell the servers once the current transaction is committed."""
    transaction.on_commit(_replace_stamp)
    layer = get_channel_layer()
    if layer is not None:
        transaction.on_commit(
            partial(async_to_sync(layer.group_send), RUNTIME_GROUP, {"type": POLICY_CHANGED})
        )


def _replace_stamp() -> None:
    stamp = stamp_file()
    stamp.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = stamp.with_name(f"{stamp.name}.{secrets.token_hex(4)}")
    os.close(os.open(fresh, os.O_CREAT | os.O_EXCL, 0o600))
    fresh.replace(stamp)
