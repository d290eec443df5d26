"""People are added one by one; what opens an account is shown once, to whoever added it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from audit.models import AuditEvent
from console.opening import open_tenant
from tests.accounts.support import sign_in, who
from tests.conftest import PASSWORD, Cast
from tests.qwenportal.support import browser

ADD = "/console/users/add/"


def add(client: Client, **fields: str) -> Any:
    form = {"login": "zhou.min", "display_name": "周敏", "department": "信审部", "role": "member"}
    return client.post(ADD, form | {"entry": "invitation"} | fields)


def secret(page: str) -> str:
    found = re.search(r'<code id="secret">([^<]+)</code>', page)
    assert found, page
    return found.group(1)


def test_an_added_person_comes_in_by_the_link(cast: Cast, client: Client) -> None:
    link = secret(add(browser(cast.admin)).text)
    assert link.startswith("http://testserver/accounts/invitation/")
    client.get(link.removeprefix("http://testserver"))
    client.post("/accounts/invitation/", {"new": PASSWORD, "again": PASSWORD})
    sign_in(client, "zhou.min")
    assert who(client) == str(User.objects.get(login_name="zhou.min").pk)


def test_an_added_person_must_change_the_temporary_password(cast: Cast, client: Client) -> None:
    sign_in(client, "zhou.min", password=secret(add(browser(cast.admin), entry="password").text))
    assert client.get("/")["Location"] == "/accounts/password/"


def test_somebody_of_the_directory_gets_no_way_in_here(cast: Cast) -> None:
    page = add(browser(cast.admin), entry="directory").text
    assert "secret" not in page
    account = User.objects.get(login_name="zhou.min")
    assert (account.has_usable_password(), account.invited_until) == (False, None)


def test_what_was_shown_is_shown_on_no_other_page(cast: Cast) -> None:
    client = browser(cast.admin)
    shown = secret(add(client, entry="password").text)
    account = User.objects.get(login_name="zhou.min")
    for path in ("/console/users/", f"/console/users/{account.pk}/", ADD):
        assert shown not in client.get(path).text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("login", ""),
        ("login", "mei"),
        ("login", "MEI"),
        ("login", "a b"),
        ("login", "a/b"),
        ("login", "-x"),
        ("login", "x" * 65),
        ("login", "ｍei2"),
        ("display_name", "=cmd|' /C calc'!A0"),
        ("display_name", "a\u202eb"),
        ("display_name", "x" * 81),
        ("department", "@x"),
        ("role", "operator"),
        ("role", "root"),
        ("entry", "mail"),
    ],
)
def test_what_is_malformed_or_taken_is_refused_beside_its_field(field: str, value: str, cast: Cast) -> None:
    before = User.objects.count()
    response = add(browser(cast.admin), **{field: value})
    assert response.status_code == 400
    assert 'class="err"' in response.text
    assert User.objects.count() == before


def test_a_role_given_with_the_account_stands_in_the_log(cast: Cast) -> None:
    add(browser(cast.admin), role="auditor")
    account = User.objects.get(login_name="zhou.min")
    events = AuditEvent.objects.filter(object_id=str(account.pk)).order_by("seq")
    assert [event.action for event in events] == ["account.make_auditor", "account.create"]
    assert len({event.actor for event in events}) == 1
    assert events[0].actor


def test_operators_add_operators(cast: Cast) -> None:
    client = browser(cast.operator)
    assert 'name="role"' not in client.get(ADD).text
    secret(add(client, department="").text)
    account = User.objects.get(login_name="zhou.min")
    assert (account.role, account.tenant_id) == ("operator", None)


def test_a_password_is_reset_and_the_sessions_end(cast: Cast, client: Client) -> None:
    member = browser(cast.member)
    page = browser(cast.admin).post(f"/console/users/{cast.member.pk}/reset-password/").text
    assert member.get("/accounts/login/").status_code == 200
    sign_in(client, "mei")
    assert who(client) is None
    sign_in(client, "mei", password=secret(page))
    assert who(client) == str(cast.member.pk)


def test_ones_own_password_is_not_reset_here(cast: Cast) -> None:
    browser(cast.admin).post(f"/console/users/{cast.admin.pk}/reset-password/")
    assert User.objects.get(pk=cast.admin.pk).check_password(PASSWORD)


def test_a_new_link_is_given_on_the_page_of_somebody_invited(cast: Cast, client: Client) -> None:
    admin = browser(cast.admin)
    first = secret(add(admin).text)
    account = User.objects.get(login_name="zhou.min")
    page = admin.get(f"/console/users/{account.pk}/").text
    assert "reset-password" not in page
    second = secret(admin.post(f"/console/users/{account.pk}/invite/").text)
    assert client.get(first.removeprefix("http://testserver"), follow=True).status_code == 410
    assert client.get(second.removeprefix("http://testserver"), follow=True).status_code == 200


def test_an_operator_appoints_a_first_administrator_on_the_page(cast: Cast) -> None:
    client, west = browser(cast.operator), open_tenant(code="west", name="West")
    path = f"/console/users/first-admin/{west.pk}/"
    form = {"login": "ann", "display_name": "Ann", "department": "", "entry": "invitation"}
    first = secret(client.post(path, form).text)
    assert "New invitation link" in client.get(path).text
    response = client.post(path, form | {"login": "bob"}, follow=True)
    assert "has an administrator" in response.text
    assert secret(client.post(path, {"renew": "yes"}).text) != first
    assert User.objects.filter(tenant=west).count() == 1
