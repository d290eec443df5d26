"""Read what an OpenID provider publishes about itself, and its keys; keep both for a few minutes.

Every address in it is checked like one that was configured. Raises ProviderFault.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import requests
from django.core.cache import cache

from accounts.sso.addresses import is_provider_url
from accounts.sso.oidc_settings import OidcSettings
from accounts.sso.outgoing import ProviderSession
from accounts.sso.tokens import Key

WELL_KNOWN = "/.well-known/openid-configuration"
KEPT_S = 600
# A stranger can name keys that do not exist; the provider is asked again this often at most.
KEYS_AGAIN_S = 30
MAX_KEYS = 50


class ProviderFault(Exception):
    """A provider cannot be reached, or says something that is not in order; `step` is where, `reason` a word."""

    def __init__(self, step: str, reason: str) -> None:
        super().__init__(f"{step}: {reason}")
        self.step, self.reason = step, reason

    @property
    def kind(self) -> str:
        """Return the kind of fault, for whoever sets the provider up."""
        known = {"issuer", "none", "certificate", "unreachable"}
        if self.reason in known:
            return self.reason
        return "address" if self.reason.endswith(("_endpoint", "_uri")) else "form"


@dataclass(frozen=True, slots=True)
class Metadata:
    """Where a provider's parts are. `names_itself` says that its answers carry `iss` (RFC 9207)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    end_session_endpoint: str = ""
    takes_posted_secret: bool = False
    names_itself: bool = False


def metadata_of(settings: OidcSettings) -> Metadata:
    """Return the provider's metadata, kept for KEPT_S. Raises ProviderFault."""
    found: Metadata = _kept("metadata", settings, lambda: fetch_metadata(settings))
    return found


def keys_of(settings: OidcSettings, metadata: Metadata) -> list[Key]:
    """Return the provider's keys, kept for KEPT_S. Raises ProviderFault."""
    found: list[Key] = _kept("keys", settings, lambda: fetch_keys(settings, metadata))
    return found


def newer_keys_of(settings: OidcSettings, metadata: Metadata) -> list[Key]:
    """Return the keys as the provider has them now, unless it was asked a moment ago. Raises ProviderFault."""
    if cache.add(_name("asked", settings), time.time(), KEYS_AGAIN_S):
        cache.delete(_name("keys", settings))
    return keys_of(settings, metadata)


def fetch_metadata(settings: OidcSettings) -> Metadata:
    """Ask for the metadata. Raises ProviderFault, also where the provider has another name than it should."""
    found = fetch_json(settings, settings.issuer.rstrip("/") + WELL_KNOWN, step="discovery")
    if found.get("issuer") != settings.issuer:
        raise ProviderFault("discovery", "issuer")
    needed = {
        name: _address(found, name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")
    }
    optional = {
        name: _address(found, name) if found.get(name) else ""
        for name in ("userinfo_endpoint", "end_session_endpoint")
    }
    # Where nothing is said, the standard's default is the secret in the header.
    methods = found.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    return Metadata(
        issuer=settings.issuer,
        **needed,
        **optional,
        takes_posted_secret="client_secret_post" in methods,
        names_itself=found.get("authorization_response_iss_parameter_supported") is True,
    )


def fetch_keys(settings: OidcSettings, metadata: Metadata) -> list[Key]:
    """Ask for the keys. Raises ProviderFault."""
    keys = fetch_json(settings, metadata.jwks_uri, step="keys").get("keys")
    if not isinstance(keys, list) or not 0 < len(keys) <= MAX_KEYS:
        raise ProviderFault("keys", "none")
    return [key for key in keys if isinstance(key, dict)]


def fetch_json(
    settings: OidcSettings, url: str, *, step: str, headers: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return the JSON object at an address of the provider. Raises ProviderFault."""
    try:
        with ProviderSession(ca_certificates=settings.ca_certificates) as session:
            answer = session.get(url, headers=headers)
            answer.raise_for_status()
            found = answer.json()
    except requests.RequestException as error:
        raise ProviderFault(step, _word(error)) from None
    if not isinstance(found, dict):
        raise ProviderFault(step, "form")
    return found


def _word(error: requests.RequestException) -> str:
    """Return what is wrong without what the other side said."""
    if isinstance(error, requests.exceptions.SSLError):
        return "certificate"
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"status {error.response.status_code}"
    return "form" if isinstance(error, requests.exceptions.InvalidJSONError) else "unreachable"


def _address(found: Mapping[str, Any], name: str) -> str:
    url = found.get(name)
    if not isinstance(url, str) or not is_provider_url(url):
        raise ProviderFault("discovery", name)
    return url


def _kept(what: str, settings: OidcSettings, fetch: Callable[[], Any]) -> Any:
    name = _name(what, settings)
    found = cache.get(name)
    if found is None:
        found = fetch()
        cache.set(name, found, KEPT_S)
    return found


def _name(what: str, settings: OidcSettings) -> str:
    return f"sso.{what}.{hashlib.sha256(repr(settings).encode()).hexdigest()}"
