"""Define what can go wrong when an event is recorded."""

from __future__ import annotations

from common.errors import PortalError


def _(message: str) -> str:
    """Mark a message for translation at the edge."""
    return message


class AuditUnavailable(PortalError):
    """The audit log cannot be written now, so what it would have recorded must not happen."""

    code = "audit_unavailable"
    http_status = 503
    message = _("The audit log cannot be written, so nothing was done. Please try again later.")


class UnknownAction(LookupError):
    """An action that is not registered in audit.actions: a mistake in the program."""


class ContentRefused(ValueError):
    """A value that is not of its field's narrow form. The text of the error never holds the value."""
