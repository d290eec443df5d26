"""Refuse to start on what would go wrong later, with one line that says why."""

from __future__ import annotations

from django.conf import settings
from django.core.checks import run_checks
from django.db import DatabaseError, connection

from accounts.models import User
from common.errors import PortalError
from tenants.walls import missing_walls, role_fault


class StartRefused(RuntimeError):
    """The portal must not start as it is; the text says why."""


def require_sound_settings() -> None:
    """Run the system checks. Raises StartRefused with what the serious ones say."""
    faults = [fault.msg for fault in run_checks() if fault.is_serious() and not fault.is_silenced()]
    if faults:
        raise StartRefused("; ".join(" ".join(str(fault).split()) for fault in faults))


def require_strong_passwords() -> None:
    """Raise StartRefused where other machines can reach the portal and an account has a weak password.

    Such passwords are accepted for demo accounts on loopback; the account keeps the mark.
    """
    if settings.PORTAL.is_local:
        return
    try:
        weak = sorted(User.objects.filter(has_weak_password=True).values_list("handle", flat=True))
    except DatabaseError as error:
        raise StartRefused(f"the database cannot be read ({type(error).__name__})") from error
    if weak:
        raise StartRefused(
            f"{', '.join(weak)}: made with a weak QUICKSTART_PASSWORD, for loopback only."
            " Serve on 127.0.0.1, or begin anew with a strong one in another data folder."
        )


def require_walls() -> None:
    """Raise StartRefused in production where the database would not keep organisations apart by itself.

    On PostgreSQL only: SQLite has no row-level security.
    """
    try:
        missing, fault = missing_walls(connection), role_fault(connection)
    except DatabaseError as error:
        raise StartRefused(f"the database cannot be read ({type(error).__name__})") from error
    if settings.PORTAL.mode != "production":
        return
    if missing:
        raise StartRefused(f"no row-level security on {', '.join(missing)}; run `manage.py migrate`")
    if fault:
        raise StartRefused(f"{fault}; see docs/operations.md, PostgreSQL")


def line_of(error: PortalError) -> str:
    """Return what to tell an operator: the error's own detail where it has one, else its message."""
    text = str(error)
    return error.message if text == error.code else text
