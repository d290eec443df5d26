"""Name what can go wrong with an account."""

from __future__ import annotations

from common.errors import PortalError, _


class SessionEnded(PortalError):
    """The session is over: signed out, expired, disabled, or the password changed."""

    code = "session_ended"
    http_status = 401
    message = _("You have been signed out. Please sign in again.")


class SignInRefused(PortalError):
    """Name or password is wrong, or the account is locked or disabled: all look the same."""

    code = "sign_in_refused"
    http_status = 401
    message = _("Organisation, user name or password is not right.")

    def __str__(self) -> str:
        return self.message
