"""The page of system parameters is an ordinary form: it says what is wrong, what waits, and who may decide."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tenants.models import TenantParameterChange
from tenants.scope import tenant_scope
from tenants.values import installation_values, tenant_values
from tests.conftest import Cast
from tests.qwenportal.support import browser
from tests.tenants.support import tenant_of

PAGE = "/console/parameters/"


def form(text: str, code: str = "rate_per_minute", *, shown: str = "1000", base: str = "0") -> dict[str, str]:
    fields = {f"value.{code}": text, f"shown.{code}": shown, f"base.{code}": base}
    return fields | {"reason": "as agreed"}


def propose(cast: Cast) -> Any:
    browser(cast.admin).post(PAGE, form("none", "ip_logging", shown="masked"))
    with tenant_scope(tenant_of(cast.admin)):
        return TenantParameterChange.objects.get()


def test_what_is_saved_holds_and_the_page_says_who_and_when(cast: Cast) -> None:
    admin = browser(cast.admin)
    assert admin.post(PAGE, form("6")).status_code == 302
    assert tenant_values(tenant_of(cast.admin)).number("rate_per_minute") == 6
    page = admin.get(PAGE).text
    assert "1 change holds from now on." in page
    assert "was 1,000" in page
    assert re.search(r'name="base.rate_per_minute" value="1"', page)


def test_a_wrong_value_comes_back_with_what_would_be_right_and_nothing_is_lost(cast: Cast) -> None:
    response = browser(cast.admin).post(PAGE, form("9999") | form("none", "ip_logging", shown="masked"))
    assert response.status_code == 400
    assert 'value="9999"' in response.text
    assert "A whole number from 1 to 1,000, please." in response.text
    assert 'value="as agreed"' in response.text
    assert "2 to save" in response.text


@pytest.mark.parametrize("reason", ["", "   "])
def test_without_a_reason_nothing_is_saved(cast: Cast, reason: str) -> None:
    response = browser(cast.admin).post(PAGE, form("6") | {"reason": reason})
    assert (response.status_code, "Please give a reason in writing." in response.text) == (400, True)


def test_a_field_that_was_left_alone_does_not_undo_what_somebody_else_changed(cast: Cast) -> None:
    admin = browser(cast.admin)
    admin.post(PAGE, form("6"))
    stale = form("1000") | form("2", "running_per_person", shown="1")
    assert admin.post(PAGE, stale).status_code == 302
    values = tenant_values(tenant_of(cast.admin))
    assert (values.number("rate_per_minute"), values.number("running_per_person")) == (6, 2)


def test_a_form_sent_twice_changes_once(cast: Cast) -> None:
    admin = browser(cast.admin)
    for _ in range(2):
        admin.post(PAGE, form("6"))
    with tenant_scope(tenant_of(cast.admin)):
        assert TenantParameterChange.objects.count() == 1


@pytest.mark.parametrize("base", ["", "-1", "x", "٣", "9" * 30])
def test_a_form_that_is_not_ours_is_refused(cast: Cast, base: str) -> None:
    assert browser(cast.admin).post(PAGE, form("6", base=base)).status_code == 400


def test_a_field_of_another_page_is_no_way_to_set_what_operators_keep(cast: Cast) -> None:
    browser(cast.admin).post(PAGE, form("6", "quota_running", shown="0"))
    assert tenant_values(tenant_of(cast.admin)).number("quota_running") == 0


def test_the_officer_sees_the_proposal_and_decides_and_the_administrator_cannot(cast: Cast) -> None:
    change = propose(cast)
    officer, admin = browser(cast.officer), browser(cast.admin)
    assert f"{change.pk}/approve/" in officer.get(PAGE).text
    page = admin.get(PAGE).text
    assert f"{change.pk}/withdraw/" in page
    assert f"{change.pk}/approve/" not in page
    assert admin.post(f"{PAGE}{change.pk}/approve/").status_code == 404
    assert officer.post(f"{PAGE}{change.pk}/approve/").status_code == 302
    assert tenant_values(tenant_of(cast.admin)).text("ip_logging") == "none"
    history = admin.get(f"{PAGE}history/").text
    assert "Masked: IPv4 without its last part, IPv6 as its /48 → Not logged" in history
    assert cast.officer.display_name in history


def test_the_officer_does_not_edit(cast: Cast) -> None:
    officer = browser(cast.officer)
    assert "Save changes" not in officer.get(PAGE).text
    assert officer.post(PAGE, form("6")).status_code == 404


def test_a_rejection_needs_a_reason(cast: Cast) -> None:
    change, officer = propose(cast), browser(cast.officer)
    officer.post(f"{PAGE}{change.pk}/reject/", {"reason": ""})
    assert "Please give a reason in writing." in officer.get(PAGE).text
    officer.post(f"{PAGE}{change.pk}/reject/", {"reason": "we need them"})
    assert "we need them" in officer.get(f"{PAGE}history/").text


def test_a_reason_is_shown_as_it_was_written_and_is_no_markup(cast: Cast) -> None:
    admin = browser(cast.admin)
    admin.post(PAGE, form("6") | {"reason": "<b>now</b>"})
    assert "&lt;b&gt;now&lt;/b&gt;" in admin.get(f"{PAGE}history/").text


@pytest.mark.parametrize("before", ["-1", "x", "٣", "99999999"])
def test_a_place_in_the_history_is_a_number(cast: Cast, before: str) -> None:
    assert browser(cast.admin).get(f"{PAGE}history/", {"before": before}).status_code == 400


def test_settings_of_the_installation_are_shown_with_where_they_come_from_and_no_secret(cast: Cast) -> None:
    page = browser(cast.admin).get(PAGE).text
    assert "PORTAL_SLOTS" in page
    assert "SECRET" not in page


def test_an_operator_sees_the_installations_page(cast: Cast) -> None:
    assert browser(cast.operator).get(PAGE).status_code == 200
    assert installation_values().texts == {}
