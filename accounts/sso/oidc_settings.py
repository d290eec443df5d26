"""Read and check what an OpenID Connect provider is configured with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from accounts.sso import fields
from accounts.sso.addresses import clean_url

SECRETS = ("client_secret",)


@dataclass(frozen=True, slots=True)
class OidcSettings:
    """How a provider is reached and which of its claims mean what.

    `issuer` is the provider's own name for itself, letter by letter. `front_channel_logout` takes its word, sent
    through the browser, that a session is over: any site that knows the session's id can send the same.
    """

    issuer: str = ""
    client_id: str = ""
    scopes: tuple[str, ...] = ("openid", "profile")
    login_claim: str = "preferred_username"
    name_claim: str = "name"
    groups_claim: str = "groups"
    ca_certificates: str = ""
    front_channel_logout: bool = False

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> OidcSettings:
        """Return the settings that `clean_settings` once let through."""
        return cls(**{**stored, "scopes": tuple(stored["scopes"])})


def clean_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return all settings, checked, defaults filled in. Raises ValidationError, by field."""
    cleaned = fields.clean_all(given, cleaners=_CLEANERS, defaults=OidcSettings())
    return asdict(OidcSettings(**cleaned)) | {"scopes": cleaned["scopes"]}


def _scopes(value: object) -> list[str]:
    names = fields.clean_names(value)
    return names if "openid" in names else ["openid", *names]


_CLEANERS: dict[str, fields.Cleaner] = {
    "issuer": clean_url,
    "client_id": fields.clean_text,
    "scopes": _scopes,
    "login_claim": fields.clean_name,
    "name_claim": fields.clean_name,
    "groups_claim": fields.clean_name,
    "ca_certificates": fields.clean_certificates,
    "front_channel_logout": bool,
}
