"""Nothing that is not wholly right lets anybody in: each answer here comes from the real provider, bent once."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.test import Client

from accounts.models import User
from accounts.provider_models import IdentityProvider
from accounts.sso.tokens import Expected, KeyUnknown, TokenRefused, read_id_token
from audit.models import AuditEvent
from tests.accounts.provider_support import organisation_of
from tests.accounts.sso.support import ORIGIN, Surfer, open_oidc, query_of
from tests.accounts.support import who
from tests.conftest import Cast
from tests.providers.server import Providers

FORGED = rsa.generate_private_key(public_exponent=65537, key_size=2048)

# What the provider's next token is bent with, by what is wrong then.
BENT: dict[str, dict[str, Any]] = {
    "no signature": {"algorithm": "none"},
    "signed with the public key as a shared secret": {"algorithm": "HS256"},
    "another audience": {"claims": {"aud": "portal-south"}},
    "several audiences and nobody authorised": {"claims": {"aud": ["portal-north", "portal-south"]}},
    "another authorised party": {"claims": {"azp": "portal-south"}},
    "another issuer": {"claims": {"iss": "https://elsewhere.example.org"}},
    "the issuer with a slash": {"claims": {"iss": "{issuer}/"}},
    "expired": {"claims": {"exp": 1_700_000_000}},
    "no end": {"claims": {"exp": None}},
    "from the future": {"claims": {"iat": 4_000_000_000}},
    "not valid yet": {"claims": {"nbf": 4_000_000_000}},
    "no subject": {"claims": {"sub": None}},
    "an empty subject": {"claims": {"sub": ""}},
    "another nonce": {"claims": {"nonce": "of-another-request"}},
    "no nonce": {"claims": {"nonce": None}},
    "a subject that userinfo does not know": {"claims": {"sub": "4711"}},
    "a key that the provider does not have": {"header": {"kid": "no-such-key"}},
    "a header that must be understood": {"header": {"crit": ["b64"], "b64": False}},
    "no token": {"id_token": "x.y.z"},
    "an empty token": {"id_token": ""},
}


@pytest.mark.parametrize("wrong", BENT)
def test_a_token_with_one_thing_wrong_lets_nobody_in(
    wrong: str, oidc: IdentityProvider, providers: Providers, surfer: Surfer
) -> None:
    bent = BENT[wrong]
    if bent.get("claims", {}).get("iss") == "{issuer}/":
        bent = {"claims": {"iss": f"{providers.issuer}/"}}
    providers.arrange(twist=bent)
    response = surfer.sign_in("lan")
    assert providers.arrange(bent=True) == {"bent": "1"}
    assert response.status_code == 401
    assert surfer.account is None
    assert not User.objects.filter(login_name="lan").exists()
    assert AuditEvent.objects.filter(action="auth.login_failed", object_type="provider").count() == 1
    providers.arrange(twist={})
    assert surfer.sign_in("lan").status_code == 302


def test_a_token_of_a_forged_key_with_the_right_name_lets_nobody_in(
    oidc: IdentityProvider, providers: Providers, surfer: Surfer
) -> None:
    address = surfer.leave_for()
    header = jwt.get_unverified_header(providers.sign({}))
    claims = claims_for(providers, nonce=query_of(address)["nonce"])
    forged = jwt.encode(claims, FORGED, algorithm="RS256", headers={"kid": header["kid"]})
    providers.arrange(twist={"id_token": forged})
    assert surfer.come_back(surfer.go_there(address, "lan")).status_code == 401
    assert surfer.account is None


def test_a_token_of_an_earlier_sign_in_lets_nobody_in_again(
    oidc: IdentityProvider, providers: Providers, surfer: Surfer
) -> None:
    """Its nonce was another's; signature, issuer, audience and time are all right."""
    old = providers.sign(claims_for(providers, nonce=query_of(surfer.leave_for())["nonce"]))
    providers.arrange(twist={"id_token": old})
    assert surfer.sign_in("lan").status_code == 401
    assert surfer.account is None


def claims_for(providers: Providers, *, nonce: str, **changes: Any) -> dict[str, Any]:
    now = int(time.time())
    subject = providers.arrange()["lan"]
    return {
        "iss": providers.issuer,
        "aud": "portal-north",
        "sub": subject,
        "iat": now,
        "exp": now + 300,
        "nonce": nonce,
    } | changes


def test_an_answer_counts_once(oidc: IdentityProvider, surfer: Surfer) -> None:
    address = surfer.go_there(surfer.leave_for(), "lan")
    assert surfer.come_back(address).status_code == 302
    surfer.portal.post("/accounts/logout/")
    assert surfer.come_back(address).status_code == 401
    assert surfer.account is None


def test_an_answer_counts_in_the_browser_that_asked(oidc: IdentityProvider, surfer: Surfer) -> None:
    """Else a stranger could sign somebody in as himself."""
    address = surfer.go_there(surfer.leave_for(), "lan")
    victim = Client()
    assert victim.get(address.removeprefix(ORIGIN)).status_code == 401
    assert who(victim) is None


def test_a_stolen_code_is_worth_nothing_without_the_verifier(
    oidc: IdentityProvider, surfer: Surfer, providers: Providers
) -> None:
    """The thief has a state of his own and somebody else's code."""
    stolen = query_of(surfer.go_there(surfer.leave_for(), "lan"))
    thief = Surfer(providers)
    state = query_of(thief.leave_for())["state"]
    path = f"/o/north/in/sso/callback/?state={state}&code={stolen['code']}"
    assert thief.portal.get(path).status_code == 401
    assert thief.account is None


def test_nothing_that_people_send_gets_into_the_request(oidc: IdentityProvider, surfer: Surfer) -> None:
    """allauth takes `scope` and `auth_params` from the address, which can replace redirect_uri and state."""
    address = surfer.leave_for(
        scope="admin",
        auth_params="redirect_uri=https://evil.example/&state=known&client_id=x",
        process="connect",
    )
    asked = query_of(address)
    assert asked["redirect_uri"] == f"{ORIGIN}/o/north/in/sso/callback/"
    assert asked["client_id"] == "portal-north"
    assert asked["state"] != "known"
    assert set(asked["scope"].split()) == {"openid", "profile"}


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1:8000.evil.example", "localhost:9999"])
def test_people_are_sent_back_to_the_portal_whatever_the_host_header_says(
    host: str, oidc: IdentityProvider, cas: IdentityProvider
) -> None:
    for way, name in (("sso", "redirect_uri"), ("cas", "service")):
        response = Client().get(f"/o/north/in/{way}/", HTTP_HOST=host)
        if response.status_code == 302:
            assert query_of(response["Location"])[name].startswith(f"{ORIGIN}/o/north/in/{way}/callback/")
        else:
            assert response.status_code == 400


def mixed_up(cast: Cast, providers: Providers, surfer: Surfer) -> tuple[str, str]:
    """Return where an answer of the first provider leads, with the state of a request to the second one."""
    tenant = organisation_of(cast.admin)
    open_oidc(tenant, providers, by=cast.admin)
    open_oidc(tenant, providers, by=cast.admin, code="other", issuer=providers.other_issuer)
    code = query_of(surfer.go_there(surfer.leave_for(), "lan"))["code"]
    return code, query_of(surfer.leave_for("/o/north/in/other/"))["state"]


def test_the_state_of_one_provider_opens_nothing_at_another(
    cast: Cast, providers: Providers, surfer: Surfer
) -> None:
    code, state = mixed_up(cast, providers, surfer)
    assert surfer.portal.get(f"/o/north/in/sso/callback/?state={state}&code={code}").status_code == 401
    assert surfer.account is None


def test_a_code_of_one_provider_opens_nothing_at_another(
    cast: Cast, providers: Providers, surfer: Surfer
) -> None:
    """The second provider shares the keys and the people of the first; only its name differs."""
    code, state = mixed_up(cast, providers, surfer)
    assert surfer.portal.get(f"/o/north/in/other/callback/?state={state}&code={code}").status_code == 401
    assert surfer.account is None


@pytest.mark.parametrize("named", ["https://elsewhere.example.org", "", "{issuer}/"])
def test_an_answer_that_names_another_sender_is_refused(
    named: str, oidc: IdentityProvider, providers: Providers, surfer: Surfer
) -> None:
    address = surfer.go_there(surfer.leave_for(), "lan")
    sender = named.replace("{issuer}", providers.issuer)
    assert surfer.come_back(f"{address}&iss={sender}").status_code == 401
    assert surfer.account is None


def test_a_provider_that_names_itself_must_do_so(
    oidc: IdentityProvider, providers: Providers, surfer: Surfer
) -> None:
    providers.arrange(twist={"metadata": {"authorization_response_iss_parameter_supported": True}})
    address = surfer.go_there(surfer.leave_for(), "lan")
    assert surfer.come_back(address).status_code == 401
    address = surfer.go_there(surfer.leave_for(), "lan")
    assert surfer.come_back(f"{address}&iss={providers.issuer}").status_code == 302


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://elsewhere.example.org"},
        {"token_endpoint": "http://10.0.0.1/token"},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"token_endpoint": None},
    ],
)
def test_metadata_that_point_elsewhere_are_refused(
    metadata: dict[str, Any], oidc: IdentityProvider, providers: Providers, surfer: Surfer
) -> None:
    providers.arrange(twist={"metadata": metadata})
    response = surfer.portal.get("/o/north/in/sso/")
    assert response.status_code == 503
    assert "elsewhere" not in response.text


def test_a_provider_that_does_not_answer_is_said_to(cast: Cast, providers: Providers, surfer: Surfer) -> None:
    open_oidc(organisation_of(cast.admin), providers, by=cast.admin, issuer="http://127.0.0.1:1")
    response = surfer.portal.get("/o/north/in/sso/")
    assert response.status_code == 503
    assert "cannot be reached" in response.text


def test_cancelling_at_the_provider_leads_back(oidc: IdentityProvider, surfer: Surfer) -> None:
    state = query_of(surfer.leave_for())["state"]
    response = surfer.portal.get(f"/o/north/in/sso/callback/?state={state}&error=access_denied")
    assert response.status_code == 401
    assert '"/o/north/"' in response.text


def key_pair(kid: str, **more: Any) -> tuple[rsa.RSAPrivateKey, dict[str, Any]]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return key, public | {"kid": kid} | more


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        (lambda key: [key, dict(key)], KeyUnknown),
        (lambda key: [key | {"use": "enc"}], KeyUnknown),
        (lambda key: [key | {"alg": "PS256"}], KeyUnknown),
        (lambda key: [{"kty": "oct", "k": "c2VjcmV0", "kid": key["kid"]}], TokenRefused),
        (lambda key: [{"kty": "EC", "kid": key["kid"]}], TokenRefused),
        (lambda _key: [], KeyUnknown),
    ],
)
def test_a_key_is_taken_only_if_there_is_no_doubt(
    change: Callable[[dict[str, Any]], list[dict[str, Any]]], refused: type[Exception]
) -> None:
    key, public = key_pair("k1")
    now = int(time.time())
    claims = {"iss": "https://op", "aud": "me", "sub": "x", "iat": now, "exp": now + 60, "nonce": "n"}
    token = jwt.encode(claims, key, algorithm="RS256", headers={"kid": "k1"})
    assert read_id_token(token, Expected("https://op", "me", [public]), nonce="n")["sub"] == "x"
    with pytest.raises(refused):
        read_id_token(token, Expected("https://op", "me", change(public)), nonce="n")
    with pytest.raises(TokenRefused, match="nonce"):
        read_id_token(token, Expected("https://op", "me", [public]), nonce="")
