"""Read the names that people are shown by: plain text that no screen, file or spreadsheet reads as anything else."""

from __future__ import annotations

import unicodedata

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

# Spreadsheets run what begins like this (OWASP, "CSV Injection").
FORMULA_STARTS = ("=", "+", "-", "@", "|", "\t", "\r")
# Control, format (bidirectional overrides, invisible letters), surrogate, private, unassigned; line and paragraph ends.
ODD_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def plain_name(text: str) -> str:
    """Return a name in its composed form, without spaces around it. Raises ValidationError for odd characters."""
    name = unicodedata.normalize("NFC", text).strip()
    if name.startswith(FORMULA_STARTS):
        raise ValidationError(_("This begins like a formula of a spreadsheet."), code="formula")
    if any(unicodedata.category(letter) in ODD_CATEGORIES for letter in name):
        raise ValidationError(_("This holds characters that cannot be seen or printed."), code="odd")
    return name
