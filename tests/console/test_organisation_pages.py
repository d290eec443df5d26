"""Operators' pages of organisations: plain forms that find, create, set, suspend and delete."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from accounts.models import User
from tenants.models import Tenant
from tenants.values import tenant_values
from tests.conftest import Cast
from tests.qwenportal.support import browser
from tests.tenants.support import tenant_of

LIST = "/console/organisations/"
OPENING = {"code": "east", "name": "East Hospital", "login": "li.na", "display_name": "Li Na"}


def page_of(cast: Cast) -> str:
    return f"{LIST}{tenant_of(cast.admin)}/"


def north(cast: Cast) -> Tenant:
    return Tenant.objects.get(pk=tenant_of(cast.admin))


def test_the_list_finds_by_code_and_name_and_state_and_goes_on_page_by_page(cast: Cast) -> None:
    Tenant.objects.bulk_create(Tenant(code=f"o{n:03}", name=f"Office {n}") for n in range(60))
    operator = browser(cast.operator)
    first = operator.get(LIST, {"q": "office"}).text
    assert "60 organisations" in first
    assert "o049" in first
    assert "o050" not in first
    assert "o050" in operator.get(LIST, {"q": "office", "after": "o049"}).text
    assert ">north<" in operator.get(LIST, {"q": "Bank"}).text
    assert ">north<" not in operator.get(LIST, {"state": "suspended"}).text


@pytest.mark.parametrize("query", [{"state": "x"}, {"q": "x" * 121}, {"after": "x" * 33}])
def test_a_query_that_is_not_ours_is_refused(cast: Cast, query: dict[str, str]) -> None:
    assert browser(cast.operator).get(LIST, query).status_code == 400


def test_the_first_administrators_password_is_shown_once_and_works(cast: Cast) -> None:
    operator = browser(cast.operator)
    page = operator.post(f"{LIST}new/", OPENING)
    found = re.search(r"data-secret>([^<]+)<", page.text)
    assert found is not None
    admin = User.objects.get(handle="east/li.na")
    assert admin.check_password(found[1])
    assert page.headers["Cache-Control"] == "no-store"
    assert found[1] not in operator.get(f"{LIST}{admin.tenant_id}/").text


def test_a_form_sent_twice_opens_one_organisation(cast: Cast) -> None:
    operator = browser(cast.operator)
    assert [operator.post(f"{LIST}new/", OPENING).status_code for _ in range(2)] == [200, 400]
    assert Tenant.objects.filter(code="east").count() == 1


def test_what_is_wrong_comes_back_with_what_was_typed(cast: Cast) -> None:
    page = browser(cast.operator).post(f"{LIST}new/", OPENING | {"code": "East!", "name": "<b>"})
    assert page.status_code == 400
    assert 'value="East!"' in page.text
    assert "&lt;b&gt;" in page.text


def test_settings_are_saved(cast: Cast) -> None:
    operator = browser(cast.operator)
    operator.post(f"{page_of(cast)}settings/", {"name": "North", "engine_weight": "2.5"})
    assert (north(cast).name, north(cast).engine_weight, north(cast).three_admin_separation) == (
        "North",
        2.5,
        False,
    )


@pytest.mark.parametrize("weight", ["", "0", "-1", "101", "1e1", "nan", "inf", "٢", "1,5", "0.001"])
def test_a_share_that_is_none_is_refused(cast: Cast, weight: str) -> None:
    page = browser(cast.operator).post(
        f"{page_of(cast)}settings/", {"name": "North", "engine_weight": weight, "separation": "on"}
    )
    assert (page.status_code, north(cast).engine_weight) == (400, 1.0)


def test_quotas_are_set_with_a_reason_and_the_page_says_what_is_used(cast: Cast) -> None:
    operator = browser(cast.operator)
    fields = {"value.quota_accounts": "40", "shown.quota_accounts": "0", "base.quota_accounts": "0"}
    assert operator.post(f"{page_of(cast)}quotas/", fields).status_code == 400
    assert operator.post(f"{page_of(cast)}quotas/", fields | {"reason": "contract"}).status_code == 302
    assert tenant_values(tenant_of(cast.admin)).number("quota_accounts") == 40
    page = operator.get(page_of(cast)).text
    assert "5 / 40" in page
    assert "contract" in page


def test_a_suspended_organisations_people_are_asked_to_sign_in_and_cannot(cast: Cast) -> None:
    admin = browser(cast.admin)
    assert admin.get("/console/").status_code == 200
    browser(cast.operator).post(f"{page_of(cast)}suspend/")
    assert admin.get("/console/").headers["Location"].startswith("/accounts/login/")
    fields = {"organisation": "north", "login": "wei", "password": "a quiet heron by the river"}
    assert Client().post("/accounts/login/", fields).status_code == 200


def test_a_deletion_asks_for_the_name_and_can_be_taken_back(cast: Cast) -> None:
    operator = browser(cast.operator)
    wrong = operator.post(f"{page_of(cast)}delete/", {"confirm": "north"})
    assert (wrong.status_code, "Type the name exactly as it is shown." in wrong.text) == (400, True)
    operator.post(f"{page_of(cast)}delete/", {"confirm": "North Bank"})
    assert "To be deleted for good on" in operator.get(page_of(cast)).text
    operator.post(f"{page_of(cast)}resume/")
    assert not north(cast).is_active
    operator.post(f"{page_of(cast)}keep/")
    assert "To be deleted for good on" not in operator.get(page_of(cast)).text


def test_an_operators_page_shows_nothing_that_people_wrote(cast: Cast) -> None:
    page = browser(cast.operator).get(page_of(cast)).text
    assert [person.handle for person in (cast.member, cast.admin) if person.handle in page] == []


@pytest.mark.parametrize("act", ["settings/", "quotas/", "suspend/", "delete/", "keep/", "resume/"])
def test_what_concerns_a_whole_organisation_needs_a_recent_sign_in(act: str, cast: Cast) -> None:
    client = Client()
    client.force_login(cast.operator)
    answer = client.post(f"{page_of(cast)}{act}", {"confirm": north(cast).name})
    assert (answer.status_code, answer["Location"][:18]) == (302, "/accounts/confirm/")
    assert north(cast).is_active
    assert client.get(f"{LIST}new/")["Location"].startswith("/accounts/confirm/")
