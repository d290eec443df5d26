"""A lockout locks: even the right password is refused, and nothing that a client says about itself helps."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.test import Client
from pytest_django import Settings

from accounts import lockout
from audit.models import AuditEvent
from common import clock
from tests.accounts.support import sign_in, who
from tests.conftest import Cast
from tests.tenants.support import tenant_of

HERE, ELSEWHERE = "198.51.100.7", "203.0.113.9"


@pytest.fixture
def limit(settings: Settings) -> int:
    attempts: int = settings.PORTAL.login_attempts
    return attempts


def fail(login: str, *, times: int, address: str = HERE, organisation: str = "north", **headers: str) -> int:
    """Try wrong passwords, each from a new browser; return the last status."""
    status = 0
    for number in range(times):
        response = sign_in(
            Client(), login, password=f"wrong {number}", address=address, organisation=organisation, **headers
        )
        status = response.status_code
    return status


def can_sign_in(login: str, *, address: str = HERE, organisation: str = "north", **headers: str) -> bool:
    client = Client()
    response = sign_in(client, login, address=address, organisation=organisation, **headers)
    assert (response.status_code == 429) == (who(client) is None)
    return who(client) is not None


def test_after_so_many_failures_the_right_password_is_refused(cast: Cast, limit: int) -> None:
    assert fail("mei", times=limit - 1) == 200
    assert can_sign_in("mei")
    assert fail("mei", times=limit) in (200, 429)
    response = sign_in(Client(), "mei")
    assert response.status_code == 429
    assert 0 < int(response["Retry-After"]) <= 15 * 60
    assert not can_sign_in("mei")


def test_the_page_of_a_lockout_tells_how_long_and_not_whether_the_account_exists(
    cast: Cast, limit: int
) -> None:
    pages = []
    for login in ("mei", "nobody"):
        fail(login, times=limit)
        response = sign_in(Client(headers={"accept-language": "en"}), login)
        assert response.status_code == 429
        assert "Sign-in locked" in response.text
        pages.append((sorted(response.headers), response.text.count("<")))
    assert pages[0] == pages[1]


def test_case_and_blanks_do_not_make_another_account_to_count(cast: Cast, limit: int) -> None:
    for number in range(limit):
        login, organisation = [("mei", "north"), ("MEI", "North"), (" Mei", "north ")][number % 3]
        fail(login, times=1, organisation=organisation)
    assert not can_sign_in("mei")
    assert not can_sign_in("MEI", organisation=" NORTH ")


def test_another_person_at_the_same_address_is_not_locked(cast: Cast, limit: int) -> None:
    fail("mei", times=limit)
    assert can_sign_in("lin")
    assert can_sign_in("mei", organisation="south")


def test_the_same_person_elsewhere_is_locked_only_by_many_more_failures(cast: Cast, limit: int) -> None:
    fail("mei", times=limit)
    assert can_sign_in("mei", address=ELSEWHERE)
    for address in range(4):
        fail("mei", times=limit, address=f"192.0.2.{address}")
    assert not can_sign_in("mei", address=ELSEWHERE)
    assert not can_sign_in("mei", address="2001:db8::1")
    assert can_sign_in("lin", address=ELSEWHERE)


def test_a_spread_attack_counts_single_failures_of_many_addresses(cast: Cast, limit: int) -> None:
    for address in range(4 * limit):
        fail("mei", times=1, address=f"192.0.2.{address}")
    assert not can_sign_in("mei", address=ELSEWHERE)


def test_signing_in_forgets_the_failures_before(cast: Cast, limit: int) -> None:
    for _ in range(3):
        fail("mei", times=limit - 1)
        assert can_sign_in("mei")


def test_a_forwarding_header_of_ones_own_making_does_not_help(cast: Cast, limit: int) -> None:
    for number in range(limit):
        fail("mei", times=1, HTTP_X_FORWARDED_FOR=f"192.0.2.{number}", HTTP_X_REAL_IP=f"192.0.2.{number}")
    assert not can_sign_in("mei", HTTP_X_FORWARDED_FOR="192.0.2.200")
    assert not can_sign_in("mei", HTTP_X_FORWARDED_FOR="")


def test_behind_one_proxy_the_right_most_address_counts(cast: Cast, limit: int, settings: Settings) -> None:
    settings.PORTAL = dataclasses.replace(settings.PORTAL, trusted_proxies=1)
    for number in range(limit):
        fail("mei", times=1, address="10.0.0.1", HTTP_X_FORWARDED_FOR=f"192.0.2.{number}, {HERE}")
    assert not can_sign_in("mei", address="10.0.0.1", HTTP_X_FORWARDED_FOR=f"192.0.2.99, {HERE}")
    assert can_sign_in("mei", address="10.0.0.1", HTTP_X_FORWARDED_FOR=f"{HERE}, {ELSEWHERE}")


def test_a_lockout_ends(cast: Cast, limit: int, settings: Settings) -> None:
    fail("mei", times=limit)
    assert not can_sign_in("mei")
    past = clock.now() - timedelta(minutes=settings.PORTAL.lockout_minutes, seconds=1)
    AccessAttempt.objects.update(attempt_time=past)
    assert can_sign_in("mei")


def test_what_is_stored_of_failures_holds_neither_name_nor_address(cast: Cast, limit: int) -> None:
    fail("mei", times=limit, HTTP_USER_AGENT="Heron/1.0 mei", HTTP_X_FORWARDED_FOR=ELSEWHERE)
    sign_in(Client(), "mei", address=HERE)
    rows = [*AccessAttempt.objects.values(), *AccessLog.objects.values(), *AccessFailureLog.objects.values()]
    assert rows
    stored = repr(rows)
    for word in ("mei", "north", HERE, ELSEWHERE, "wrong 0", "198.51", "Heron"):
        assert word not in stored, word


def test_the_pseudonyms_of_the_lockout_need_the_installations_key(settings: Settings, cast: Cast) -> None:
    first = lockout.axes_username(None, {"username": "north/mei"})
    settings.SECRET_KEY = "another key of this installation, which nobody knows"
    assert lockout.axes_username(None, {"username": "north/mei"}) != first


def test_a_lockout_stands_in_the_organisations_log(cast: Cast, limit: int) -> None:
    fail("mei", times=limit)
    can_sign_in("mei")
    events = AuditEvent.objects.filter(tenant_id=tenant_of(cast.member), action__startswith="auth.")
    assert events.filter(action="auth.lockout").exists()
    assert events.filter(action="auth.login_failed").count() >= limit - 1
    assert not events.filter(action="auth.login").exists()


def test_a_session_that_is_open_stays_open_while_its_account_is_locked(cast: Cast, limit: int) -> None:
    client = Client()
    sign_in(client, "mei", address=HERE)
    fail("mei", times=limit)
    assert client.get("/privacy/", REMOTE_ADDR=HERE).status_code == 200
