"""The API lets in who has a good token, whose person may come in and has agreed; everybody else is told one thing."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.token_callers import STRANGER_CALLS, api_limits
from accounts.token_models import ApiToken
from accounts.tokens import create_token, list_tokens, revoke_token
from audit.models import AuditEvent
from common import clock
from consent.services import accept_notice, read_current_notice, withdraw_consent
from crypto.services import create_tenant_keys
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.accounts.test_tokens import forbid
from tests.conftest import Cast
from tests.console import support
from tests.qwenportal.support import browser

ME, MODELS = "/v1/me", "/v1/models"


@pytest.fixture(autouse=True)
def _no_calls_yet() -> Iterator[None]:
    api_limits.forget()
    yield
    api_limits.forget()


@pytest.fixture
def token(cast: Cast) -> str:
    """The member's token; the member has accepted the notice."""
    agree(cast.member)
    return give(cast.member)


def agree(person: User) -> None:
    assert person.tenant_id is not None
    with tenant_scope(person.tenant_id):
        accept_notice(person, notice=read_current_notice(language="en"), ip=None)


def give(person: User, *scopes: str) -> str:
    wanted = list(scopes) or ["models.read", "profile.read"]
    return create_token(person, name="Reports", scopes=wanted, days=7).text


def call(token: str | None, path: str = ME, *, client: Client | None = None, **headers: str) -> Any:
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    return (client or Client(raise_request_exception=False)).get(path, headers=headers)


def code_of(response: Any) -> tuple[int, str]:
    assert response.headers["Content-Type"] == "application/json"
    return response.status_code, json.loads(response.text)["error"]["code"]


def test_me_says_whose_token_it_is(cast: Cast, token: str) -> None:
    response = call(token)
    body = response.json()
    assert response.status_code == 200
    assert (body["id"], body["login"], body["role"]) == (str(cast.member.pk), "mei", "member")
    assert body["organisation"] == {"code": "north", "name": "North Bank"}
    assert body["token"]["scopes"] == ["models.read", "profile.read"]


def test_models_are_those_that_the_organisation_may_use(cast: Cast, token: str) -> None:
    second = support.second_operator()
    support.activate(1, by=second, second=cast.operator)
    body = call(token, MODELS).json()
    assert body["object"] == "list"
    assert [(model["id"], model["object"]) for model in body["data"]] == [
        ("Heron-0.5B-Instruct-Q8_0@r1", "model")
    ]
    assert {"created", "owned_by"} <= body["data"][0].keys()


def revoked(cast: Cast) -> None:
    revoke_token(list_tokens(cast.member)[0].pk, by=cast.member)


def over(cast: Cast) -> None:
    assert cast.member.tenant_id is not None
    with tenant_scope(cast.member.tenant_id):
        ApiToken.objects.update(expires_at=clock.now() - timedelta(seconds=1))


def set_account(**fields: Any) -> Callable[[Cast], None]:
    def change(cast: Cast) -> None:
        User.objects.filter(pk=cast.member.pk).update(**fields)

    return change


def closed(cast: Cast) -> None:
    Tenant.objects.filter(code="north").update(is_active=False)


@pytest.mark.parametrize(
    "change",
    [
        revoked,
        over,
        forbid,
        closed,
        set_account(is_active=False),
        set_account(role="auditor"),
        set_account(must_change_password=True),
        set_account(temporary_until=clock.now() - timedelta(days=1)),
    ],
    ids=["revoked", "over", "forbidden", "closed", "disabled", "role", "password", "temporary"],
)
def test_a_token_is_refused_at_once_when_its_person_may_not_come_in(
    change: Callable[[Cast], None], cast: Cast, token: str
) -> None:
    assert call(token).status_code == 200
    change(cast)
    strange = call("qp_" + "A" * 64)
    for path in (ME, MODELS):
        response = call(token, path)
        assert code_of(response) == (401, "invalid_token")
        assert response.text == strange.text, "every reason looks the same"
        assert response.headers["WWW-Authenticate"] == "Bearer"
    events = AuditEvent.objects.filter(action="token.refused")
    assert [(event.outcome, event.status) for event in events] == [("refused", 401)]


def test_consent_is_needed_and_its_end_is_felt_at_once(cast: Cast) -> None:
    token = give(cast.member)
    assert code_of(call(token)) == (403, "consent_required")
    agree(cast.member)
    assert call(token).status_code == 200
    assert cast.member.tenant_id is not None
    with tenant_scope(cast.member.tenant_id):
        withdraw_consent(cast.member, ip=None)
    assert code_of(call(token)) == (403, "consent_required")


def test_a_token_does_only_what_it_was_made_for(cast: Cast) -> None:
    agree(cast.member)
    token = give(cast.member, "profile.read")
    assert call(token, ME).status_code == 200
    assert code_of(call(token, MODELS)) == (403, "insufficient_scope")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "bearer {token}",
        "Basic {token}",
        "{token}",
        "Bearer {token} x",
        "Bearer  {token}",
    ],
)
def test_the_header_has_one_form(header: str, cast: Cast, token: str) -> None:
    response = Client().get(ME, headers={"authorization": header.format(token=token)})
    assert code_of(response) == (401, "invalid_token")


def test_no_other_place_of_a_request_holds_a_token(cast: Cast, token: str) -> None:
    client = Client()
    client.cookies["token"] = client.cookies["authorization"] = token
    assert code_of(client.get(f"{ME}?token={token}&access_token={token}")) == (401, "invalid_token")


@pytest.mark.parametrize("at", [0, 3, 10, 11, 12, 32, 33, 40, 66])
def test_no_part_of_a_token_may_differ(at: int, cast: Cast, token: str) -> None:
    other = "A" if token[at] != "A" else "B"
    assert code_of(call(token[:at] + other + token[at + 1 :])) == (401, "invalid_token")


def test_a_token_of_one_organisation_is_none_in_another(cast: Cast, token: str) -> None:
    """The organisation in the text swapped for another one, whose keys exist too."""
    agree(cast.outsider)
    theirs = give(cast.outsider)
    assert cast.outsider.tenant_id is not None
    create_tenant_keys(cast.outsider.tenant_id)
    swapped = token[:12] + theirs[12:32] + token[32:]
    assert code_of(call(swapped)) == (401, "invalid_token")
    assert call(theirs).json()["organisation"]["code"] == "south"


def test_a_session_counts_for_nothing_and_gets_no_cookie(cast: Cast, token: str) -> None:
    client = browser(cast.admin)
    assert code_of(call(None, client=client)) == (401, "invalid_token")
    response = call(token, client=client)
    assert response.json()["login"] == "mei"
    assert "Set-Cookie" not in response.headers
    assert not response.cookies


@pytest.mark.parametrize("path", ["/v1/", "/v1/nothing", "/v1/models/x", "/v1/chat/completions"])
def test_what_is_not_there_is_missing_in_json(path: str, cast: Cast, token: str) -> None:
    assert code_of(call(token, path)) == (404, "not_found")


@pytest.mark.parametrize("method", ["post", "put", "delete", "patch"])
def test_another_method_is_refused_in_json(method: str, cast: Cast, token: str) -> None:
    client = Client(enforce_csrf_checks=True)
    response = getattr(client, method)(ME, headers={"authorization": f"Bearer {token}"})
    assert code_of(response) == (405, "method_not_allowed")


def test_a_failure_is_said_in_json_and_nothing_of_it(
    cast: Cast, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the secret of the house")

    monkeypatch.setattr("chat.api_views.models_for", fail)
    response = call(token, MODELS)
    assert code_of(response) == (500, "internal")
    assert "secret" not in response.text


def test_a_person_calls_so_often_a_minute_whatever_the_token(cast: Cast, token: str, settings: Any) -> None:
    import dataclasses

    settings.PORTAL = dataclasses.replace(settings.PORTAL, api_per_minute=3)
    other = give(cast.member)
    assert [call(one).status_code for one in (token, other, token)] == [200] * 3
    response = call(other)
    assert code_of(response) == (429, "rate_limited")
    assert int(response.headers["Retry-After"]) == 60
    agree(cast.colleague)
    assert call(give(cast.colleague)).status_code == 200


def test_whoever_guesses_is_soon_not_listened_to(
    cast: Cast, token: str, django_assert_num_queries: Any
) -> None:
    for at in range(STRANGER_CALLS.amount):
        assert call(f"qp_{at:064}").status_code == 401
    with django_assert_num_queries(0):
        assert code_of(call(f"qp_{'9' * 64}")) == (429, "rate_limited")
    elsewhere = Client(REMOTE_ADDR="203.0.113.9")
    assert call(token, client=elsewhere).status_code == 200


def test_the_last_use_is_known_by_the_day(cast: Cast, token: str) -> None:
    assert list_tokens(cast.member)[0].last_used_on is None
    call(token)
    assert list_tokens(cast.member)[0].last_used_on == clock.now().date()


def test_no_token_stands_in_the_log(cast: Cast, token: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for path, text in ((ME, token), (ME, token[:-1] + "_"), ("/v1/nothing", token)):
        call(text, path)
    assert token[11:] not in caplog.text
    assert token[11:] not in repr(list(AuditEvent.objects.values()))
