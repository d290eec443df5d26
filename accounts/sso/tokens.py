"""Believe a token of an OpenID provider only if all of it is right.

Pure. allauth does not verify the signature of an ID token that came straight from the provider, as the standard
allows; here it always is, with one of the algorithms below and a key of the provider's own.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jwt

# Signatures only: with "none" there is nothing to verify, and with HS* the public key would be the secret.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
LEEWAY_S = 30
# How old a logout token may be; the standard asks for two minutes of validity at most.
LOGOUT_AGE_S = 180
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
MAX_TOKEN_CHARS = 32_768

Key = Mapping[str, Any]


class TokenRefused(Exception):
    """A token is not believed; `reason` is a word for the operator, without anything of the token."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class KeyUnknown(TokenRefused):
    """The token names a key that is not among the provider's; they may be newer than ours."""


@dataclass(frozen=True, slots=True)
class Expected:
    """Who must have made a token, and for whom."""

    issuer: str
    client_id: str
    keys: Sequence[Key]


@dataclass(frozen=True, slots=True)
class Logout:
    """What a logout token asks for: the end of one session there, or of all of a person's. `jti` is used once."""

    jti: str
    subject: str
    session: str


def read_id_token(token: str, expected: Expected, *, nonce: str) -> dict[str, Any]:
    """Return the claims of an ID token that answers the request which carried `nonce`. Raises TokenRefused."""
    claims = _verify(token, expected, required=("exp", "iat", "iss", "aud", "sub"))
    given = claims.get("nonce")
    if not nonce or not isinstance(given, str) or not hmac.compare_digest(given.encode(), nonce.encode()):
        raise TokenRefused("nonce")
    audience = claims["aud"]
    azp = claims.get("azp")
    if (azp is not None and azp != expected.client_id) or (_is_several(audience) and azp is None):
        raise TokenRefused("azp")
    if not isinstance(claims["sub"], str) or not claims["sub"]:
        raise TokenRefused("sub")
    return claims


def read_logout_token(token: str, expected: Expected) -> Logout:
    """Return what a logout token asks for. Raises TokenRefused; whether `jti` is new is the caller's to check."""
    header = _header(token)
    if str(header.get("typ", "jwt")).lower() not in {"logout+jwt", "jwt"}:
        raise TokenRefused("typ")
    claims = _verify(token, expected, required=("iat", "iss", "aud", "jti", "events"))
    events = claims["events"]
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict) or "nonce" in claims:
        raise TokenRefused("events")
    if time.time() - claims["iat"] > LOGOUT_AGE_S:
        raise TokenRefused("iat")
    jti, subject, session = (_text(claims.get(name)) for name in ("jti", "sub", "sid"))
    if not jti or not (subject or session):
        raise TokenRefused("sub")
    return Logout(jti=jti, subject=subject, session=session)


def _verify(token: str, expected: Expected, *, required: Sequence[str]) -> dict[str, Any]:
    header = _header(token)
    algorithm = header.get("alg")
    if algorithm not in ALGORITHMS:
        raise TokenRefused("alg")
    if "crit" in header:
        raise TokenRefused("crit")
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key=_key(expected.keys, kid=header.get("kid"), algorithm=algorithm),
            algorithms=[algorithm],
            audience=expected.client_id,
            issuer=expected.issuer,
            leeway=LEEWAY_S,
            options={"require": list(required)},
        )
    except jwt.PyJWTError as error:
        raise TokenRefused(type(error).__name__) from None
    if not isinstance(claims["iat"], (int, float)) or claims["iat"] > time.time() + LEEWAY_S:
        raise TokenRefused("iat")
    return claims


def _header(token: str) -> dict[str, Any]:
    if len(token) > MAX_TOKEN_CHARS:
        raise TokenRefused("length")
    try:
        return dict(jwt.get_unverified_header(token))
    except jwt.PyJWTError:
        raise TokenRefused("form") from None


def _key(keys: Sequence[Key], *, kid: object, algorithm: str) -> jwt.PyJWK:
    """Return the provider's key that a token names; one without a name needs a provider with one key."""
    usable = [
        key for key in keys if key.get("use", "sig") == "sig" and key.get("alg", algorithm) == algorithm
    ]
    named = [key for key in usable if kid is None or key.get("kid") == kid]
    if len(named) != 1:
        raise KeyUnknown("kid")
    try:
        return jwt.PyJWK(dict(named[0]), algorithm=algorithm)
    except (jwt.PyJWTError, ValueError, KeyError, TypeError):
        raise TokenRefused("key") from None


def _is_several(audience: object) -> bool:
    return isinstance(audience, list) and len(audience) > 1


def _text(value: object) -> str:
    return value if isinstance(value, str) and len(value) <= 255 else ""
