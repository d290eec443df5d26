"""Name what can go wrong with an account."""

from __future__ import annotations

from common.errors import PortalError, _


class SessionEnded(PortalError):
    """The session is over: signed out, expired, disabled, or the password changed."""

    code = "session_ended"
    http_status = 401
    message = _("You have been signed out. Please sign in again.")
