"""Tell whoever runs models that something changed: servers of this machine and of others.

The running server follows two ways: a message to the runtime's group of the channel layer, for servers that share
one, and the time of a stamp file, for a server that a command on the terminal cannot reach otherwise.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import transaction

from accounts.live import RUNTIME_GROUP

MODELS_CHANGED = "models.changed"


def stamp_file() -> Path:
    """Return the file whose time of change is that of the last change."""
    return Path(settings.PORTAL.models_dir) / "changed.stamp"


def announce_change() -> None:
    """Tell the servers, once the current transaction is committed, that other models may have to run."""
    transaction.on_commit(_touch)
    layer = get_channel_layer()
    if layer is not None:
        transaction.on_commit(
            partial(async_to_sync(layer.group_send), RUNTIME_GROUP, {"type": MODELS_CHANGED})
        )


def _touch() -> None:
    stamp = stamp_file()
    stamp.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    stamp.touch(mode=0o600)
