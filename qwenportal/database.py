"""Turn DATABASE_URL into Django's setting."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

SQLITE_OPTIONS: dict[str, Any] = {
    # Without IMMEDIATE a reader that becomes a writer fails at once instead of waiting its turn.
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    # FULL: a turn that was acknowledged is on disk; secure_delete: what is erased is overwritten.
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON;",
}


def parse_database_url(url: str) -> dict[str, Any]:
    """Return the settings of `sqlite:///path` or `postgresql://user:password@host:port/name`.

    Raises ImproperlyConfigured for any other; the message never holds the URL, which may hold a password.
    """
    try:
        parts = urlsplit(url)
        port = str(parts.port or "")
    except ValueError:  # its text quotes from the URL; a `/` in a password must be written %2F
        raise ImproperlyConfigured("DATABASE_URL is malformed") from None
    if parts.scheme == "sqlite":
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": unquote(parts.path[1:]),
            "OPTIONS": SQLITE_OPTIONS,
            # The socket side keeps its one connection; a request's is closed at its end (CloseConnectionsMiddleware).
            "CONN_MAX_AGE": None,
        }
    if parts.scheme in {"postgres", "postgresql"}:
        return {
            "ENGINE": "tenants.postgres",
            "NAME": unquote(parts.path.lstrip("/")),
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": parts.hostname or "",
            "PORT": port,
            "CONN_HEALTH_CHECKS": True,
            "CONN_MAX_AGE": 60,
        }
    raise ImproperlyConfigured("DATABASE_URL must begin with sqlite:/// or postgresql://")
