"""Check that the database can keep the log's order."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register


@register(Tags.security)
def check_write_lock(**_: Any) -> list[CheckMessage]:
    """Return an error for SQLite without IMMEDIATE: two writers would read the same head."""
    database = settings.DATABASES["default"]
    if not database["ENGINE"].endswith("sqlite3"):
        return []
    if database.get("OPTIONS", {}).get("transaction_mode") == "IMMEDIATE":
        return []
    return [Error("SQLite needs the option transaction_mode=IMMEDIATE.", id="audit.E001")]
