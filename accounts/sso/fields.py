"""Check the fields that settings of providers have in common. Each check raises ValidationError."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, cast

from cryptography.x509 import load_pem_x509_certificates
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

MAX_CHARS = 255
MAX_PEM_CHARS = 100_000
MAX_NAMES = 20
_NAME = re.compile(r"[A-Za-z0-9_.:/-]{1,100}")

Cleaner = Callable[[object], Any]


def clean_all(
    given: Mapping[str, Any], *, cleaners: Mapping[str, Cleaner], defaults: object
) -> dict[str, Any]:
    """Return all settings checked, with defaults for what is not given. Raises ValidationError, by field."""
    unknown = sorted(set(given) - set(cleaners))
    if unknown:
        raise ValidationError(_("There is no setting “%(name)s”."), params={"name": unknown[0]})
    cleaned: dict[str, Any] = {}
    faults: dict[str, ValidationError] = {}
    for name, clean in cleaners.items():
        try:
            cleaned[name] = clean(given.get(name, getattr(defaults, name)))
        except ValidationError as error:
            faults[name] = error
    if faults:
        raise ValidationError(cast(Any, faults))
    return cleaned


def clean_text(value: object) -> str:
    """Return a short text that can be printed, and is there."""
    text = str(value).strip()
    if not text or len(text) > MAX_CHARS or not text.isprintable():
        raise ValidationError(_("This is missing, too long, or holds what cannot be printed."))
    return text


def clean_name(value: object) -> str:
    """Return the name of a claim or attribute."""
    text = str(value).strip()
    if not _NAME.fullmatch(text):
        raise ValidationError(_("This is no name of an attribute."))
    return text


def clean_optional_name(value: object) -> str:
    """Return the name of a claim or attribute, or ""."""
    return clean_name(value) if str(value).strip() else ""


def clean_names(value: object) -> list[str]:
    """Return a list of names, given as one or as text with blanks between them."""
    parts = value.split() if isinstance(value, str) else list(cast(Any, value))
    if len(parts) > MAX_NAMES:
        raise ValidationError(_("These are too many."))
    return list(dict.fromkeys(clean_name(part) for part in parts))


def clean_certificates(value: object) -> str:
    """Return certificates in PEM form, or ""."""
    text = str(value).strip()
    if not text:
        return ""
    fault = ValidationError(_("These are no certificates in PEM form."))
    if len(text) > MAX_PEM_CHARS or "PRIVATE KEY" in text:
        raise fault
    try:
        load_pem_x509_certificates(text.encode())
    except ValueError:
        raise fault from None
    return text + "\n"
