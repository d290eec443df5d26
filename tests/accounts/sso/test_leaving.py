"""Who signs out at the provider is signed out here: in the sessions that began there, and in no others."""

from __future__ import annotations

import time
import uuid
from typing import Any

import jwt
import pytest
from django.test import Client
from limits import RateLimitItemPerMinute

from accounts.models import User
from accounts.provider_models import IdentityProvider
from accounts.sso.tokens import LOGOUT_EVENT
from audit.models import AuditEvent
from tests.accounts.provider_support import organisation_of
from tests.accounts.sso.support import Surfer, open_cas, open_oidc, query_of
from tests.accounts.sso.test_cas import INDEX, LOGOUT
from tests.accounts.support import who
from tests.conftest import Cast
from tests.providers.server import Providers

OIDC = "/o/north/in/sso/logout/"
CAS = "/o/north/in/cas/"


def session_there(surfer: Surfer, providers: Providers, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Sign somebody in; return the claims of their ID token."""
    seen: list[str] = []
    decode = jwt.decode

    def listen(token: str, *arguments: Any, **options: Any) -> Any:
        seen.append(token)
        return decode(token, *arguments, **options)

    monkeypatch.setattr("accounts.sso.tokens.jwt.decode", listen)
    assert surfer.sign_in("lan").status_code == 302
    monkeypatch.undo()
    claims: dict[str, Any] = decode(seen[-1], options={"verify_signature": False})
    return claims


def logout_claims(claims: dict[str, Any], **changes: Any) -> dict[str, Any]:
    now = int(time.time())
    wanted = {
        "iss": claims["iss"],
        "aud": claims["aud"],
        "sub": claims["sub"],
        "sid": claims["sid"],
        "iat": now,
        "exp": now + 120,
        "jti": uuid.uuid4().hex,
        "events": {LOGOUT_EVENT: {}},
    } | changes
    return {name: value for name, value in wanted.items() if value is not None}


def send(providers: Providers, claims: dict[str, Any], path: str = OIDC, **how: Any) -> int:
    token = providers.sign(claims, **{"header": {"typ": "logout+jwt"}} | how)
    return Client().post(path, {"logout_token": token}).status_code


def test_a_logout_token_ends_the_session_that_it_names_and_counts_once(
    oidc: IdentityProvider, providers: Providers, surfer: Surfer, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = session_there(surfer, providers, monkeypatch)
    other = Surfer(providers)
    providers.arrange(people={"bo": {"groups": ["staff"]}})
    other.sign_in("bo")
    assert surfer.account
    assert other.account
    logout = logout_claims(claims)
    assert send(providers, logout) == 200
    assert surfer.account is None
    assert surfer.portal.get("/accounts/identities/").status_code == 302
    assert other.account
    assert AuditEvent.objects.filter(action="auth.provider_logout").count() == 1
    surfer.sign_in("lan")
    assert send(providers, logout) == 400, "replayed"
    assert surfer.account


def test_without_a_session_it_ends_all_that_the_person_began_there_and_no_other(
    oidc: IdentityProvider, providers: Providers, surfer: Surfer, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = session_there(surfer, providers, monkeypatch)
    second = Surfer(providers)
    second.sign_in("lan")
    by_hand = Client()
    assert surfer.account
    by_hand.force_login(User.objects.get(pk=surfer.account), backend="accounts.backends.PortalBackend")
    assert send(providers, logout_claims(claims, sid=None)) == 200
    assert [surfer.account, second.account] == [None, None]
    assert who(by_hand)


# What is wrong with a logout token, and how it is sent.
WRONG: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "no signature": ({}, {"algorithm": "none"}),
    "public key as secret": ({}, {"algorithm": "HS256"}),
    "another audience": ({"aud": "portal-south"}, {}),
    "another issuer": ({"iss": "https://elsewhere.example.org"}, {}),
    "expired": ({"exp": 1_700_000_000}, {}),
    "old": ({"iat": 1_700_000_000, "exp": None}, {}),
    "no jti": ({"jti": None}, {}),
    "no event": ({"events": {}}, {}),
    "another event": ({"events": {"http://schemas.openid.net/event/other": {}}}, {}),
    "events as a list": ({"events": [LOGOUT_EVENT]}, {}),
    "a nonce, as an ID token has": ({"nonce": "n"}, {}),
    "neither subject nor session": ({"sub": None, "sid": None}, {}),
    "an access token's type": ({}, {"header": {"typ": "at+jwt"}}),
    "an unknown key": ({}, {"header": {"kid": "none"}}),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_logout_token_with_one_thing_wrong_ends_nothing(
    wrong: str,
    oidc: IdentityProvider,
    providers: Providers,
    surfer: Surfer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    claims = session_there(surfer, providers, monkeypatch)
    changes, how = WRONG[wrong]
    assert send(providers, logout_claims(claims, **changes), **how) == 400
    assert surfer.account


def test_an_id_token_is_no_logout_token(
    oidc: IdentityProvider, providers: Providers, surfer: Surfer, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = session_there(surfer, providers, monkeypatch)
    assert send(providers, claims, header={"typ": "JWT"}) == 400
    assert surfer.account


def test_a_provider_ends_no_session_of_another_one(
    cast: Cast, providers: Providers, surfer: Surfer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor another organisation's, whose provider may be the same and know the person by the same name."""
    tenant, south = organisation_of(cast.admin), organisation_of(cast.outsider)
    open_oidc(tenant, providers, by=cast.admin)
    open_oidc(tenant, providers, by=cast.admin, code="other")
    open_oidc(south, providers, by=cast.operator, client_id="portal-north")
    claims = session_there(surfer, providers, monkeypatch)
    for path in ("/o/north/in/other/logout/", "/o/south/in/sso/logout/"):
        assert send(providers, logout_claims(claims), path) == 200
        assert send(providers, logout_claims(claims, sid=None), path) == 200
    assert surfer.account


def test_a_frame_ends_a_session_only_where_that_is_switched_on(
    cast: Cast, providers: Providers, surfer: Surfer, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = organisation_of(cast.admin)
    open_oidc(tenant, providers, by=cast.admin, front_channel_logout=True)
    open_oidc(tenant, providers, by=cast.admin, code="other")
    claims = session_there(surfer, providers, monkeypatch)
    right = {"iss": claims["iss"], "sid": claims["sid"]}
    frame = "/o/north/in/sso/frame/"
    assert Client().get("/o/north/in/other/frame/", right).status_code == 404
    for wrong in ({}, {"sid": right["sid"]}, {"iss": right["iss"]}, right | {"iss": "https://x.example"}):
        assert Client().get(frame, wrong).status_code == 404
    assert surfer.account
    response = Client().get(frame, right)
    assert response.status_code == 200
    assert "X-Frame-Options" not in response
    assert f"frame-ancestors {providers.issuer};" in response["Content-Security-Policy"] + ";"
    assert surfer.account is None


def test_leaving_the_cas_server_ends_the_session_of_its_ticket(
    cas: IdentityProvider, providers: Providers, surfer: Surfer
) -> None:
    address = surfer.go_there(surfer.leave_for(CAS), "lan")
    surfer.come_back(address)
    second = Surfer(providers)
    second.sign_in("lan", CAS)
    ticket = query_of(address)["ticket"]
    for path in (f"{CAS}callback/", f"{CAS}logout/"):
        body = LOGOUT % (INDEX % (ticket[:-1] + ("a" if ticket[-1] != "a" else "b")))
        assert Client().post(path, {"logoutRequest": body}).status_code == 200
        assert surfer.account, "another ticket"
    assert Client().post(f"{CAS}callback/", {"logoutRequest": LOGOUT % (INDEX % ticket)}).status_code == 200
    assert surfer.account is None
    assert second.account


def test_a_ticket_ends_nothing_at_another_provider(
    cas: IdentityProvider, cast: Cast, providers: Providers, surfer: Surfer
) -> None:
    open_cas(organisation_of(cast.admin), providers, by=cast.admin, code="other")
    open_cas(organisation_of(cast.outsider), providers, by=cast.operator)
    address = surfer.go_there(surfer.leave_for(CAS), "lan")
    surfer.come_back(address)
    body = LOGOUT % (INDEX % query_of(address)["ticket"])
    for path in ("/o/north/in/other/logout/", "/o/south/in/cas/logout/"):
        assert Client().post(path, {"logoutRequest": body}).status_code == 200
    assert surfer.account


def test_strangers_are_held_to_a_pace(
    cas: IdentityProvider, monkeypatch: pytest.MonkeyPatch, client: Client
) -> None:
    monkeypatch.setattr("accounts.sso.views.LOGOUTS", RateLimitItemPerMinute(3))
    monkeypatch.setattr("accounts.sso.views.STARTS", RateLimitItemPerMinute(3))
    statuses = [client.post(f"{CAS}logout/", {"logoutRequest": "x"}).status_code for _ in range(5)]
    assert statuses == [400, 400, 400, 429, 429]
    assert [client.get(CAS).status_code for _ in range(4)] == [302, 302, 302, 429]


def test_signing_out_here_offers_to_sign_out_there(
    oidc: IdentityProvider, cas: IdentityProvider, providers: Providers, surfer: Surfer
) -> None:
    surfer.sign_in("lan")
    response = surfer.portal.post("/accounts/logout/")
    assert response["Location"] == "/o/north/in/sso/left/"
    page = surfer.portal.get(response["Location"]).text
    assert f"{providers.issuer}/identity/o/logout?client_id=portal-north" in page
    assert surfer.account is None
    surfer = Surfer(providers)
    surfer.sign_in("bo", CAS)
    assert surfer.portal.get("/o/north/in/cas/left/").status_code == 302, "still signed in"
    page = surfer.portal.get(surfer.portal.post("/accounts/logout/")["Location"]).text
    assert f'href="{providers.cas}logout"' in page
