"""Tell the time in one place, so that tests can move it."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now() -> datetime:
    """Return the current time, aware, in UTC."""
    return datetime.now(UTC)


def monotonic_ms() -> float:
    """Return milliseconds of a clock that never goes back; only differences mean anything."""
    return time.monotonic() * 1000
