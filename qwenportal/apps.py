"""Register the composition root with Django, for its commands."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db.backends.signals import connection_created


class QwenPortalConfig(AppConfig):
    """Commands that set up and serve the whole."""

    name = "qwenportal"

    def ready(self) -> None:
        """Read damaged text instead of failing on it."""
        connection_created.connect(read_damaged_text)


def read_damaged_text(*, connection: Any, **_: object) -> None:
    """Let SQLite give text that is not UTF-8 with marks in it: seals and hashes then tell which row was changed.

    Its own decoding would raise before they are looked at, and hide the healthy rows too.
    """
    if connection.vendor == "sqlite":
        connection.connection.text_factory = lambda data: data.decode("utf-8", errors="replace")
