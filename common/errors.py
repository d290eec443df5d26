"""Define the one tree of errors that the portal shows to people.

Pure Python: the engine's house, which knows nothing of Django, raises from the same tree. `message` is an English
message id; the edge translates it into the person's language with gettext.
"""

from __future__ import annotations


def _(message: str) -> str:
    """Mark a message for translation at the edge."""
    return message


class PortalError(Exception):
    """Carry a stable code, an HTTP status and a text that is safe to show.

    Subclasses set the class attributes. `retry_after_ms` (milliseconds) is set where trying again later makes sense.
    """

    code = "internal"
    http_status = 500
    message = _("Something went wrong on our side. Please try again.")

    def __init__(self, *, retry_after_ms: int | None = None) -> None:
        super().__init__(self.code)
        self.retry_after_ms = retry_after_ms


class BadRequest(PortalError):
    """The request cannot be understood."""

    code = "bad_request"
    http_status = 400
    message = _("The request could not be understood.")


class NotFound(PortalError):
    """The thing does not exist, or is not this person's: both look the same."""

    code = "not_found"
    http_status = 404
    message = _("This does not exist, or it is not yours to see.")


class ConsentRequired(PortalError):
    """The current notice has not been accepted."""

    code = "consent_required"
    http_status = 403
    message = _("Please read and accept the current notice first.")
