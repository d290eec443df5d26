"""Tell both providers who the people are, and do what allauth's provider leaves out: `sid` and back-channel logout."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import jwt
import requests
from allauth.core.internal import jwkkit
from allauth.idp.oidc import app_settings as idp_settings
from allauth.idp.oidc.adapter import DefaultOIDCAdapter
from allauth.idp.oidc.models import Client
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_out
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse

LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
TOKEN_PATH = "/identity/o/api/token"

# What the next token answers are twisted with: the attacks of the tests.
twist: dict[str, Any] = {}
# The bent tokens that were handed out: a test must not pass because none came.
bent: list[str] = []


def groups_of(user: User) -> list[str]:
    return sorted(user.groups.values_list("name", flat=True))


def session_id(user: User) -> str:
    assert user.last_login is not None
    return f"sid-{user.pk}-{user.last_login.timestamp():.6f}"


def sign(claims: dict[str, Any], *, header: dict[str, Any] | None = None, algorithm: str = "RS256") -> str:
    """Return a token with the provider's own key, or with what an attacker has instead of one."""
    public, private = jwkkit.load_jwk_from_pem(idp_settings.PRIVATE_KEYS[0].pem)
    header = {"kid": public["kid"]} | (header or {})
    if algorithm == "none":
        return jwt.encode(claims, "", algorithm="none", headers=header)
    if algorithm == "HS256":  # signed with the public key as if it were a shared secret
        return sign_with_secret(claims, header, secret=public_pem(private))
    return jwt.encode(claims, private, algorithm=algorithm, headers=header)


def public_pem(private: rsa.RSAPrivateKey) -> bytes:
    return private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def sign_with_secret(claims: dict[str, Any], header: dict[str, Any], *, secret: bytes) -> str:
    """Return an HS256 token; PyJWT itself refuses a public key as its secret."""
    parts = [{"alg": "HS256", "typ": "JWT"} | header, claims]
    text = b".".join(urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts)
    signature = urlsafe_b64encode(hmac.digest(secret, text, hashlib.sha256)).rstrip(b"=")
    return b".".join((text, signature)).decode()


class Adapter(DefaultOIDCAdapter):  # type: ignore[misc]
    """Groups in both kinds of answer, and the provider's session in the ID token."""

    def get_claims(self, purpose: str, user: Any, client: Any, scopes: Any, **more: Any) -> dict[str, Any]:
        claims: dict[str, Any] = super().get_claims(purpose, user, client, scopes, **more)
        claims["groups"] = groups_of(user)
        if purpose == "id_token":
            claims["sid"] = session_id(user)
        return claims

    def populate_server_metadata(self, data: dict[str, Any]) -> None:
        data |= {"backchannel_logout_supported": True, "backchannel_logout_session_supported": True}
        data |= twist.get("metadata", {})


class CasPerson:
    """A person as django-cas-server asks for one."""

    def __init__(self, username: str) -> None:
        self.username = username

    def test_password(self, password: str) -> bool:
        user = User.objects.filter(username=self.username).first()
        return user is not None and user.check_password(password)

    def attributs(self) -> dict[str, Any]:
        user = User.objects.get(username=self.username)
        return {"displayName": user.get_full_name(), "memberOf": groups_of(user), "mail": user.email}


@receiver(user_logged_out)
def tell_clients(*, request: HttpRequest, user: User | None, **_: Any) -> None:
    """Send each client that wants it a logout token, as OpenID Connect Back-Channel Logout says."""
    for client in Client.objects.all() if user is not None else ():
        address = (client.data or {}).get("backchannel_logout_uri")
        if address:
            claims = logout_claims(request, client_id=client.id, user=user)
            token = sign(claims, header={"typ": "logout+jwt"})
            requests.post(address, data={"logout_token": token}, timeout=5)


def logout_claims(request: HttpRequest, *, client_id: str, user: Any) -> dict[str, Any]:
    now = int(time.time())
    return {
        "iss": request.build_absolute_uri("/").rstrip("/"),
        "aud": client_id,
        "iat": now,
        "exp": now + 120,
        "jti": uuid.uuid4().hex,
        "sub": str(user.pk),
        "sid": session_id(user),
        "events": {LOGOUT_EVENT: {}},
    }


class TwistMiddleware:
    """Change the ID token of an answer before it leaves, where a test asks for it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.path != TOKEN_PATH or not twist or response.status_code != 200:
            return response
        answer = json.loads(response.content)
        claims = jwt.decode(answer["id_token"], options={"verify_signature": False})
        claims |= twist.get("claims", {})
        claims = {name: value for name, value in claims.items() if value is not None}
        answer["id_token"] = sign(
            claims, header=twist.get("header"), algorithm=twist.get("algorithm", "RS256")
        )
        if "id_token" in twist:
            answer["id_token"] = twist["id_token"]
        response.content = json.dumps(answer)
        bent.append(answer["id_token"])
        response.headers["Content-Length"] = str(len(response.content))
        return response
