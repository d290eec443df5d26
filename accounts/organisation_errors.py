"""Name what can go wrong with an organisation."""

from __future__ import annotations

from accounts.errors import ChangeRefused
from common.errors import _


class NameDiffers(ChangeRefused):
    """What was typed is not the name of what is to be deleted."""

    code = "name_differs"
    http_status = 400
    message = _("Type the name exactly as it is shown.")


class ErasureBegun(ChangeRefused):
    """The organisation is to be deleted, or is."""

    code = "erasure_begun"
    message = _("This organisation is being deleted, or its deletion has to be taken back first.")


class AccountsFull(ChangeRefused):
    """The organisation has as many accounts as its quota allows."""

    code = "accounts_full"
    message = _("Your organisation has as many active accounts as it may have. Ask the operators for more.")
