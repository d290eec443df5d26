"""Define what can go wrong with keys and sealed values.

The three PortalErrors may reach a person; the others are mistakes in the program and never carry a value.
"""

from __future__ import annotations

from django.core.exceptions import FieldError

from common.errors import PortalError


def _(message: str) -> str:
    """Mark a message for translation at the edge."""
    return message


class SealBroken(PortalError):
    """A stored value was changed, moved, or never sealed; its text is not shown.

    `place` names the field (`chat.message.body`), never the value.
    """

    code = "seal_broken"
    http_status = 500
    message = _(
        "A stored text was changed outside the portal and is not shown. Please tell your administrator."
    )

    def __init__(self, place: str = "") -> None:
        super().__init__()
        self.place = place


class KeyUnavailable(PortalError):
    """The key-encryption key cannot be used now; `reason` is one line for the operator, without secrets."""

    code = "key_unavailable"
    http_status = 503
    message = _("The key store is not available. Nothing was lost; please try again later.")

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.args = (reason,)
        self.reason = reason


class KeyDestroyed(PortalError):
    """The data key was destroyed on purpose: what it sealed is erased for good."""

    code = "key_destroyed"
    http_status = 410
    message = _("This was erased for good.")


class UnsealedWrite(TypeError):
    """Something tried to write a value into a sealed column without sealing it."""


class SealedLookup(FieldError):
    """Something tried to search in a sealed column, where nothing could ever be found."""


class SealedExport(TypeError):
    """Something tried to serialise a sealed field or to pickle its clear text."""
