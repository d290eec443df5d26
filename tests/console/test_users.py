"""Administrators list, search and manage the people of their organisation, and nobody else's."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from accounts.linking import identities_of
from accounts.listing import COUNTED, PAGE_ROWS, Wanted, list_accounts
from accounts.models import User, fold
from audit.models import AuditEvent
from tenants.models import Tenant
from tests.accounts.provider_support import open_provider
from tests.accounts.support import sign_in
from tests.conftest import Cast
from tests.qwenportal.support import browser

LIST = "/console/users/"


def crowd(tenant: Tenant | None, count: int, **fields: Any) -> list[User]:
    """Insert many members at once, as no page does: `user000`, `user001`, …"""
    people = []
    for at in range(count):
        person = User(tenant=tenant, login_name=f"user{at:04}", display_name=f"Person {at}", role="member")
        for name, value in fields.items():
            setattr(person, name, value)
        person.handle = f"{tenant.code if tenant else ''}/{person.login_name}"
        person.search_key = fold(f"{person.login_name} {person.display_name} {person.department}")
        people.append(person)
    return User.objects.bulk_create(people)


def logins(page: str) -> list[str]:
    return re.findall(r'<small class="mono dim">([^<]+)</small>', page)


def walk(client: Client, query: str = "") -> list[str]:
    """Follow `next` from the first page to the last and return every login that was shown."""
    seen: list[str] = []
    address: str | None = f"{LIST}?{query}"
    while address:
        page = client.get(address).text
        seen += logins(page)
        following = re.search(r'rel="next" href="(\?[^"]+)"', page)
        address = LIST + following.group(1).replace("&amp;", "&") if following else None
    return seen


def test_the_list_shows_ones_own_organisation_only(cast: Cast) -> None:
    page = browser(cast.admin).get(LIST).text
    assert logins(page) == ["jing", "jun", "lin", "mei", "wei"]
    assert "South" not in page
    assert logins(browser(cast.operator).get(LIST).text) == ["tao"]


def test_every_person_stands_on_exactly_one_page(cast: Cast) -> None:
    crowd(cast.admin.tenant, 2 * PAGE_ROWS + 7)
    seen = walk(browser(cast.admin))
    assert len(seen) == len(set(seen)) == 2 * PAGE_ROWS + 7 + 5
    assert seen == sorted(seen)


def test_pages_lead_back_the_way_they_came(cast: Cast) -> None:
    crowd(cast.admin.tenant, 2 * PAGE_ROWS)
    client = browser(cast.admin)
    first = client.get(LIST).text
    second = client.get(LIST + next_of(first)).text
    third = client.get(LIST + next_of(second)).text
    assert logins(client.get(LIST + previous_of(third)).text) == logins(second)
    assert logins(client.get(LIST + previous_of(second)).text) == logins(first)


def next_of(page: str) -> str:
    return linked(page, "next")


def previous_of(page: str) -> str:
    return linked(page, "prev")


def linked(page: str, rel: str) -> str:
    found = re.search(rf'rel="{rel}" href="(\?[^"]+)"', page)
    assert found, f"no link {rel}"
    return found.group(1).replace("&amp;", "&")


def test_a_page_survives_that_the_account_it_begins_with_is_gone_or_somebody_elses(cast: Cast) -> None:
    client = browser(cast.admin)
    for anchor in (cast.outsider.pk, cast.operator.pk, "nonsense"):
        assert logins(client.get(f"{LIST}?after={anchor}").text) == ["jing", "jun", "lin", "mei", "wei"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("mei", ["mei"]),
        ("MEI", ["mei"]),
        ("ｍｅｉ", ["mei"]),
        ("信审", ["lin"]),
        ("lin 信审", ["lin"]),
        ("100%", []),
        ("_", []),
        ("' OR 1=1 --", []),
        ("nobody", []),
    ],
)
def test_search_finds_by_login_name_and_department(text: str, found: list[str], cast: Cast) -> None:
    cast.colleague.department = "授信审批部"
    cast.colleague.save()
    assert cast.colleague.search_key == "lin lin 授信审批部"
    assert logins(browser(cast.admin).get(LIST, {"q": text.replace("信审", "信审批")}).text) == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("role=auditor", ["jing"]),
        ("role=operator", []),
        ("state=disabled", ["lin"]),
        ("state=active", ["jing", "jun", "mei", "wei"]),
        ("state=invited", []),
        ("role=nonsense&state=disabled", ["lin"]),
    ],
)
def test_the_list_is_narrowed_by_role_and_state(query: str, found: list[str], cast: Cast) -> None:
    User.objects.filter(pk=cast.colleague.pk).update(is_active=False)
    assert logins(browser(cast.admin).get(f"{LIST}?{query}").text) == found


def test_a_filter_stays_on_the_pages_that_follow(cast: Cast) -> None:
    crowd(cast.admin.tenant, PAGE_ROWS + 3, department="Vault")
    assert len(walk(browser(cast.admin), "q=vault&state=active")) == PAGE_ROWS + 3


def test_a_long_search_is_counted_up_to_a_bound_only(cast: Cast) -> None:
    assert cast.admin.tenant_id is not None
    crowd(cast.admin.tenant, COUNTED + PAGE_ROWS)
    page = list_accounts(cast.admin.tenant_id, wanted=Wanted(text="user"))
    assert (page.total, page.is_capped) == (COUNTED, True)
    assert list_accounts(cast.admin.tenant_id, wanted=Wanted()).total == COUNTED + PAGE_ROWS + 5


@pytest.mark.parametrize(
    "act", ["", "edit/", "role/", "disable/", "enable/", "end-sessions/", "unlock/", "reset-factors/"]
)
def test_people_of_others_look_like_nobody(act: str, cast: Cast) -> None:
    client = browser(cast.admin)
    fields = {"role": "member", "display_name": "X"}
    send = client.post if act else client.get
    for person in (cast.outsider.pk, cast.operator.pk, "00000000-0000-4000-8000-000000000009"):
        assert send(f"{LIST}{person}/{act}", fields).status_code == 404


def test_an_admin_gives_a_role_on_the_page(cast: Cast) -> None:
    client = browser(cast.admin)
    response = client.post(f"{LIST}{cast.member.pk}/role/", {"role": "auditor"}, follow=True)
    assert "The role is changed" in response.text
    assert User.objects.get(pk=cast.member.pk).role == "auditor"


def test_ones_own_role_and_state_cannot_be_changed_on_the_page(cast: Cast) -> None:
    client = browser(cast.admin)
    assert "/role/" not in client.get(f"{LIST}{cast.admin.pk}/").text
    response = client.post(f"{LIST}{cast.admin.pk}/role/", {"role": "member"}, follow=True)
    assert "another person has to" in response.text
    assert User.objects.get(pk=cast.admin.pk).role == "admin"


def test_the_last_of_a_separated_role_keeps_it(cast: Cast) -> None:
    client = browser(cast.admin)
    for act, fields in (("role", {"role": "member"}), ("disable", {})):
        response = client.post(f"{LIST}{cast.auditor.pk}/{act}/", fields, follow=True)
        assert "last account with this role" in response.text
    auditor = User.objects.get(pk=cast.auditor.pk)
    assert (auditor.role, auditor.is_active) == ("auditor", True)


def test_nobody_is_made_an_operator(cast: Cast) -> None:
    client = browser(cast.admin)
    assert client.post(f"{LIST}{cast.member.pk}/role/", {"role": "operator"}).status_code == 400


def test_disabling_ends_the_sessions_and_enabling_does_not_bring_them_back(cast: Cast) -> None:
    admin, member = browser(cast.admin), browser(cast.member)
    assert member.get("/accounts/login/").status_code == 302
    admin.post(f"{LIST}{cast.member.pk}/disable/")
    assert member.get("/accounts/login/").status_code == 200
    admin.post(f"{LIST}{cast.member.pk}/enable/")
    assert member.get("/accounts/login/").status_code == 200


def test_signing_somebody_out_everywhere_ends_every_session(cast: Cast) -> None:
    here, there = browser(cast.member), browser(cast.member)
    browser(cast.admin).post(f"{LIST}{cast.member.pk}/end-sessions/")
    for client in (here, there):
        assert client.get("/accounts/login/").status_code == 200
    event = AuditEvent.objects.filter(action="account.end_sessions").get()
    assert (event.object_id, event.outcome) == (str(cast.member.pk), "ok")


def test_a_name_is_changed_and_found_by_the_new_one(cast: Cast) -> None:
    client = browser(cast.admin)
    fields = {"display_name": " 周敏 ", "department": "营业部"}
    client.post(f"{LIST}{cast.member.pk}/edit/", fields)
    assert logins(client.get(LIST, {"q": "周敏"}).text) == ["mei"]
    assert AuditEvent.objects.filter(action="account.edit", outcome="ok").count() == 1


@pytest.mark.parametrize(
    "name", ["=1+1", "+86", "-x", "@SUM(A1)", "\tx=1", "a\u202eb", "a\u200bb", "a\x00b", ""]
)
def test_a_name_that_a_screen_or_a_spreadsheet_would_misread_is_refused(name: str, cast: Cast) -> None:
    fields = {"display_name": name, "department": ""}
    response = browser(cast.admin).post(f"{LIST}{cast.member.pk}/edit/", fields)
    assert response.status_code == 400 or name.startswith("\t")
    assert User.objects.get(pk=cast.member.pk).display_name in ("Mei", "x=1")


def test_an_admin_without_separation_sees_the_officers_permissions(cast: Cast) -> None:
    client = browser(cast.admin)
    cells = re.compile(r"Approve models</th>(.*?)</tr>", re.DOTALL)
    found = cells.search(client.get(LIST).text)
    assert found
    assert found.group(1).count("allowed") - found.group(1).count("not allowed") == 1
    Tenant.objects.update(three_admin_separation=False)
    found = cells.search(client.get(LIST).text)
    assert found
    assert found.group(1).count("allowed") - found.group(1).count("not allowed") == 2


SENSITIVE = [
    "link/",
    "role/",
    "disable/",
    "enable/",
    "reset-password/",
    "invite/",
    "unlock/",
    "reset-factors/",
]


@pytest.mark.parametrize("act", SENSITIVE)
def test_what_is_sensitive_needs_somebody_who_has_just_shown_who_they_are(act: str, cast: Cast) -> None:
    client = Client()
    client.force_login(cast.admin)
    response = client.post(f"{LIST}{cast.member.pk}/{act}", {"role": "auditor"})
    assert (response.status_code, response["Location"][:18]) == (302, "/accounts/confirm/")
    person = User.objects.get(pk=cast.member.pk)
    assert (person.role, person.is_active, person.must_change_password) == ("member", True, False)


@pytest.mark.parametrize("path", ["add/", "import/", "export/"])
def test_adding_importing_and_exporting_need_it_too(path: str, cast: Cast) -> None:
    client = Client()
    client.force_login(cast.admin)
    send = client.post if path == "export/" else client.get
    assert send(f"{LIST}{path}")["Location"].startswith("/accounts/confirm/")


def test_somebody_locked_out_is_let_in_on_the_page(cast: Cast, client: Client) -> None:
    for _ in range(5):
        sign_in(client, "mei", password="wrong every time")
    assert sign_in(client, "mei").status_code == 429
    admin = browser(cast.admin)
    assert "Unlock" in admin.get(f"{LIST}{cast.member.pk}/").text
    admin.post(f"{LIST}{cast.member.pk}/unlock/")
    assert sign_in(client, "mei").status_code == 302
    assert "Unlock" not in admin.get(f"{LIST}{cast.member.pk}/").text


def test_an_administrator_links_an_account_and_parts_it_again(cast: Cast) -> None:
    provider = open_provider(Tenant.objects.get(code="north"), by=cast.admin)
    client, page = browser(cast.admin), f"{LIST}{cast.member.pk}/"
    assert 'name="subject"' in client.get(page).text
    client.post(f"{page}link/", {"provider": provider.pk, "subject": " Mei-4711 "})
    [identity] = identities_of(cast.member)
    assert (identity.subject, identity.linkage) == ("mei-4711", "admin")
    client.post(f"{LIST}{cast.colleague.pk}/link/", {"provider": provider.pk, "subject": "mei-4711"})
    assert identities_of(cast.colleague) == []
    assert client.post(f"{LIST}{cast.colleague.pk}/identities/{identity.pk}/unlink/").status_code == 404
    client.post(f"{page}identities/{identity.pk}/unlink/")
    assert identities_of(cast.member) == []


def test_nobody_links_a_guardian_s_or_the_own_account_here(cast: Cast) -> None:
    provider = open_provider(Tenant.objects.get(code="north"), by=cast.admin)
    client = browser(cast.admin)
    for person in (cast.officer, cast.auditor):
        assert 'name="subject"' not in client.get(f"{LIST}{person.pk}/").text
        client.post(f"{LIST}{person.pk}/link/", {"provider": provider.pk, "subject": "mine"})
        assert identities_of(person) == []
    assert 'name="subject"' not in client.get(f"{LIST}{cast.admin.pk}/").text
    assert browser(cast.operator).post(f"{LIST}{cast.operator.pk}/link/", {}).status_code == 404
