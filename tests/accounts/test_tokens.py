"""A token is its person's: made by them, shown once, ended by them or an administrator, and never stored."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client

from accounts.administration import change_role, disable_account
from accounts.errors import TokensForbidden, TooManyTokens
from accounts.models import User
from accounts.parameters import Wanted, set_parameters
from accounts.passwords import give_temporary_password
from accounts.token_models import ApiToken
from accounts.token_text import TokenText, digest_of, make_token, read_token
from accounts.tokens import MAX_TOKENS, create_token, list_tokens, revoke_token
from audit.models import AuditEvent
from common import clock
from common.access import PermissionMissing
from common.errors import NotFound
from tests.conftest import Cast
from tests.qwenportal.support import browser

PAGE = "/accounts/tokens/"
FORM = {"name": "Reports", "days": "7", "scopes": ["models.read", "profile.read"]}


def give(person: User, *, name: str = "Reports", days: int = 7) -> str:
    return create_token(person, name=name, scopes=["models.read"], days=days).text


def forbid(cast: Cast) -> None:
    assert cast.admin.tenant is not None
    wanted = {"api_tokens": Wanted("forbidden", 0)}
    set_parameters(wanted, reason="Not here.", by=cast.admin, tenant=cast.admin.tenant)


def shown(page: str) -> str:
    found = re.search(r'<code id="secret">([^<]+)</code>', page)
    assert found, page
    return found.group(1)


def test_a_token_says_what_it_is_and_belongs_to_one_organisation(cast: Cast) -> None:
    text = give(cast.member)
    assert re.fullmatch(r"qp_[A-Za-z0-9_-]{64}", text)
    read = read_token(text)
    assert read is not None
    assert read.tenant_id == cast.member.tenant_id
    assert text not in repr(read)
    assert text != give(cast.member)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "qp_",
        "qp_" + "a" * 63,
        "qp_" + "a" * 65,
        "sk_" + "a" * 64,
        "qp_" + "é" * 64,
        "qp_" + "a" * 64 + "\n",
    ],
)
def test_what_has_not_the_form_of_a_token_is_none(text: str) -> None:
    assert read_token(text) is None


def test_a_token_is_shown_once_and_stored_nowhere(cast: Cast) -> None:
    client = browser(cast.member)
    text = shown(client.post(PAGE, FORM).text)
    assert text not in client.get(PAGE).text
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f"SELECT * FROM {table}")
            rows = str(cursor.fetchall())
            assert text not in rows, table
            assert text[11:] not in rows, table


def test_the_digest_depends_on_the_organisations_key(cast: Cast) -> None:
    assert cast.member.tenant_id is not None
    assert cast.outsider.tenant_id is not None
    token = make_token(cast.member.tenant_id)
    elsewhere = TokenText(token.text, token.lookup, cast.outsider.tenant_id)
    assert digest_of(token) != digest_of(elsewhere)


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": "=1"},
        {"name": "x" * 61},
        {"days": "0"},
        {"days": "-1"},
        {"days": "91"},
        {"days": "many"},
        {"scopes": []},
        {"scopes": ["everything"]},
        {"scopes": ["models.read", "admin"]},
    ],
)
def test_what_cannot_be_is_refused(change: dict[str, Any], cast: Cast) -> None:
    response = browser(cast.member).post(PAGE, FORM | change)
    assert response.status_code == 400
    assert 'class="err"' in response.text
    assert list_tokens(cast.member) == []


def test_the_service_refuses_what_the_form_would(cast: Cast) -> None:
    for fields in (
        {"name": "x", "scopes": [], "days": 1},
        {"name": "x", "scopes": ["models.read"], "days": 1000},
    ):
        with pytest.raises(ValidationError):
            create_token(cast.member, **fields)  # type: ignore[arg-type]


def test_only_those_who_chat_have_tokens(cast: Cast) -> None:
    for person in (cast.admin, cast.officer, cast.auditor, cast.operator):
        assert browser(person).get(PAGE).status_code == 404
        with pytest.raises(PermissionMissing):
            give(person)


def test_nobody_has_too_many(cast: Cast) -> None:
    for _ in range(MAX_TOKENS):
        text = give(cast.member)
    with pytest.raises(TooManyTokens):
        give(cast.member)
    token = list_tokens(cast.member)[0]
    assert text.startswith(f"qp_{token.lookup}")
    revoke_token(token.pk, by=cast.member)
    give(cast.member)


def test_an_organisation_forbids_them(cast: Cast) -> None:
    forbid(cast)
    with pytest.raises(TokensForbidden):
        give(cast.member)
    page = browser(cast.member).get(PAGE).text
    assert "does not allow API tokens" in page
    assert "Make the token" not in page
    give(cast.outsider)


def test_one_revokes_ones_own_and_nobody_elses(cast: Cast) -> None:
    give(cast.member)
    token = list_tokens(cast.member)[0]
    for person in (cast.colleague, cast.outsider):
        assert browser(person).post(f"{PAGE}{token.pk}/revoke/").status_code == 404
    for by in (cast.colleague, cast.officer, cast.auditor, cast.operator, cast.outsider):
        with pytest.raises(NotFound):
            revoke_token(token.pk, by=by)
    assert list_tokens(cast.member)[0].is_valid
    browser(cast.member).post(f"{PAGE}{token.pk}/revoke/")
    assert not list_tokens(cast.member)[0].is_valid
    events = AuditEvent.objects.filter(object_type="token", object_id=str(token.pk)).order_by("seq")
    assert [event.action for event in events] == ["token.create", "token.revoke"]


def test_an_admin_sees_and_revokes_a_persons_tokens(cast: Cast) -> None:
    give(cast.member, name="Spreadsheet")
    token, client = list_tokens(cast.member)[0], browser(cast.admin)
    page = client.get(f"/console/users/{cast.member.pk}/").text
    assert "Spreadsheet" in page
    assert f"qp_{token.lookup}" in page
    path = f"/console/users/{cast.colleague.pk}/tokens/{token.pk}/revoke/"
    assert client.post(path).status_code == 404
    assert list_tokens(cast.member)[0].is_valid
    assert client.post(f"/console/users/{cast.member.pk}/tokens/{token.pk}/revoke/").status_code == 302
    assert not list_tokens(cast.member)[0].is_valid
    assert client.post(f"/console/users/{cast.member.pk}/tokens/{uuid4()}/revoke/").status_code == 404


def test_tokens_end_with_what_their_person_was(cast: Cast) -> None:
    """Enabled again, or back in the role, the person makes new ones."""
    acts: list[Callable[[User], object]] = [
        lambda person: disable_account(person, by=cast.admin),
        lambda person: change_role(person, role="auditor", by=cast.admin),
        lambda person: give_temporary_password(person, by=cast.admin),
    ]
    for at, act in enumerate(acts):
        person = User.objects.get(pk=cast.member.pk) if at == 0 else fresh(cast, at)
        give(person)
        act(person)
        assert [token.is_valid for token in list_tokens(person)] == [False]


def fresh(cast: Cast, at: int) -> User:
    person = User(tenant=cast.member.tenant, login_name=f"fresh{at}", display_name="Fresh", role="member")
    person.set_password("a heron of its own")
    person.save()
    return person


def test_a_token_ends_by_itself(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    give(cast.member, days=1)
    token = list_tokens(cast.member)[0]
    later = clock.now() + timedelta(days=1, seconds=1)
    monkeypatch.setattr("common.clock.now", lambda: later)
    assert not token.is_valid


def test_a_strangers_browser_is_sent_to_sign_in(cast: Cast, client: Client) -> None:
    assert client.get(PAGE)["Location"].startswith("/accounts/login/")
    assert not ApiToken.__subclasses__()


def test_making_a_token_needs_somebody_who_has_just_shown_who_they_are(cast: Cast) -> None:
    client = Client()
    client.force_login(cast.member)
    assert client.post(PAGE, FORM)["Location"].startswith("/accounts/confirm/")
    assert "Make the token" not in client.get(PAGE).text
    assert list_tokens(cast.member) == []
