"""Read and check what a CAS server is configured with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from accounts.sso import fields
from accounts.sso.addresses import clean_url


@dataclass(frozen=True, slots=True)
class CasSettings:
    """How a CAS server is reached and which of its attributes mean what.

    `id_attribute` is what never changes about a person, not even with the user name; "" takes the user name itself,
    and so does "" for `login_attribute`. `renew` has the server ask for the password each time.
    """

    server_url: str = ""
    id_attribute: str = ""
    login_attribute: str = ""
    name_attribute: str = "displayName"
    groups_attribute: str = "memberOf"
    renew: bool = False
    ca_certificates: str = ""

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> CasSettings:
        """Return the settings that `clean_settings` once let through."""
        return cls(**stored)


def clean_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return all settings, checked, defaults filled in. Raises ValidationError, by field."""
    cleaned = fields.clean_all(given, cleaners=_CLEANERS, defaults=CasSettings())
    return asdict(CasSettings(**cleaned))


def _server_url(value: object) -> str:
    return clean_url(value).rstrip("/") + "/"


_CLEANERS: dict[str, fields.Cleaner] = {
    "server_url": _server_url,
    "id_attribute": fields.clean_optional_name,
    "login_attribute": fields.clean_optional_name,
    "name_attribute": fields.clean_name,
    "groups_attribute": fields.clean_name,
    "renew": bool,
    "ca_certificates": fields.clean_certificates,
}
