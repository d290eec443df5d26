"""Passwords are hard to find, one's own, and given anew only by an administrator, for one purpose."""

from __future__ import annotations

import dataclasses
import hashlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.test import Client
from pytest_django import Settings

from accounts.errors import OwnAccount, PasswordElsewhere, SessionEnded
from accounts.models import User
from accounts.passwords import change_password, give_temporary_password
from accounts.services import read_live_account
from accounts.session_models import digest_of
from audit.models import AuditEvent
from common import clock
from common.access import PermissionMissing
from tests.accounts.support import set_parameter, sign_in, who
from tests.conftest import PASSWORD, Cast
from tests.tenants.support import tenant_of

PAGE = "/accounts/password/"
NEW = "eleven blue kites over town"


def change(client: Client, *, new: str = NEW, again: str | None = None, **fields: str) -> Any:
    return client.post(PAGE, {"new": new, "again": new if again is None else again} | fields)


def actions(person: User) -> list[str]:
    return list(AuditEvent.objects.filter(tenant_id=tenant_of(person)).values_list("action", flat=True))


@pytest.fixture
def given(cast: Cast) -> str:
    """Return the temporary password that the administrator has just given to the member."""
    return give_temporary_password(cast.member, by=cast.admin)


# --- What is refused ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "password",
    ["a quiet h", "x" * 257, "abababababab", "1029384756473", "password123", "mei.north.2026", "NorthBank#1"],
)
def test_a_password_that_is_easily_found_is_refused(password: str, cast: Cast) -> None:
    with pytest.raises(ValidationError):
        validate_password(password, cast.member)


@pytest.mark.parametrize("password", ["a quiet h.", "x9#q!" + "x" * 251, NEW, "mei went north at noon"])
def test_any_other_is_taken(password: str, cast: Cast) -> None:
    validate_password(password, cast.member)


def test_installation_and_organisation_each_ask_for_a_length_and_the_longer_counts(
    cast: Cast, settings: Settings
) -> None:
    def shortest(person: User) -> int:
        fresh = User.objects.get(pk=person.pk)
        return next(count for count in range(8, 65) if not refuses("q0w1e2r3t4z5u6i7" * 4, count, fresh))

    def refuses(text: str, count: int, person: User) -> bool:
        try:
            validate_password(text[:count][::-1], person)
        except ValidationError:
            return True
        return False

    assert shortest(cast.member) == 10
    set_parameter(cast.admin, "password_length", "14")
    assert (shortest(cast.member), shortest(cast.outsider)) == (14, 10)
    settings.PORTAL = dataclasses.replace(settings.PORTAL, password_length=20)
    assert (shortest(cast.member), shortest(cast.operator)) == (20, 20)


def test_a_password_from_the_list_of_breached_ones_is_refused(
    cast: Cast, settings: Settings, tmp_path: Path
) -> None:
    words = [f"grey geese number {number}" for number in range(200)]
    digests = sorted(hashlib.sha1(word.encode(), usedforsecurity=False).hexdigest().upper() for word in words)
    listed = tmp_path / "breached.txt"
    listed.write_text("\r\n".join(f"{digest}:{at}" for at, digest in enumerate(digests)))
    settings.PORTAL = dataclasses.replace(settings.PORTAL, breached_passwords=listed)
    for word in words:
        with pytest.raises(ValidationError, match="breach"):
            validate_password(word, cast.member)
    for number in range(200, 260):
        validate_password(f"grey geese number {number}", cast.member)
    listed.unlink()
    with pytest.raises(ValidationError, match="cannot be checked"):
        validate_password(NEW, cast.member)


# --- One's own ------------------------------------------------------------------------------------------------------
def test_a_person_changes_their_own_password_and_only_this_browser_stays_in(cast: Cast) -> None:
    here, elsewhere = Client(), Client()
    for client in (here, elsewhere):
        sign_in(client, "mei")
    key = here.cookies["portal_session"].value
    assert change(here, current=PASSWORD)["Location"] == "/"
    assert who(here) == str(cast.member.pk)
    assert here.get("/privacy/").status_code == 200
    assert here.cookies["portal_session"].value != key
    assert elsewhere.get("/privacy/").status_code == 302
    assert "account.change_password" in actions(cast.member)
    fresh = Client()
    sign_in(fresh, "mei")
    assert who(fresh) is None
    sign_in(fresh, "mei", password=NEW)
    assert who(fresh) == str(cast.member.pk)


@pytest.mark.parametrize(
    "fields",
    [
        {"current": "not the password"},
        {"current": ""},
        {},
        {"current": PASSWORD, "new": "short"},
        {"current": PASSWORD, "new": PASSWORD, "again": PASSWORD},
        {"current": PASSWORD, "again": "something else"},
        {"current": PASSWORD, "new": "", "again": ""},
        {"current": PASSWORD, "new": "\x00" * 12},
    ],
)
def test_it_takes_the_current_one_and_a_good_new_one_twice(
    fields: dict[str, str], cast: Cast, client: Client
) -> None:
    sign_in(client, "mei")
    assert change(client, **fields).status_code == 200
    assert User.objects.get(pk=cast.member.pk).password == cast.member.password


def test_guessing_the_current_password_locks_like_signing_in(
    cast: Cast, client: Client, settings: Settings
) -> None:
    sign_in(client, "mei")
    for _ in range(settings.PORTAL.login_attempts):
        change(client, current="not the password")
    assert change(client, current=PASSWORD).status_code == 429
    assert User.objects.get(pk=cast.member.pk).password == cast.member.password


def test_the_page_is_not_there_for_people_without_a_password(cast: Cast, client: Client) -> None:
    cast.member.set_unusable_password()
    cast.member.save()
    client.force_login(cast.member, backend="accounts.backends.PortalBackend")
    assert client.get(PAGE).status_code == 404


# --- Temporary ones -------------------------------------------------------------------------------------------------
def test_a_temporary_password_opens_nothing_but_its_change(given: str, cast: Cast, client: Client) -> None:
    assert sign_in(client, "mei", password=given).status_code == 302
    for path in ("/", "/privacy/", "/consent/", "/console/", "/accounts/login/", f"/c/{cast.member.pk}/"):
        response = client.get(path)
        assert (response.status_code, response["Location"]) == (302, PAGE), path
    assert client.post("/consent/", {"decision": "agree"})["Location"] == PAGE
    page = client.get(PAGE)
    assert page.status_code == 200
    assert 'name="current"' not in page.text
    assert client.post("/i18n/setlang/", {"language": "en"}).status_code == 302
    assert client.post("/accounts/logout/")["Location"] == "/accounts/login/"
    assert who(client) is None


def test_a_temporary_password_opens_no_socket_and_no_api(given: str, cast: Cast, client: Client) -> None:
    def live() -> User:
        return read_live_account(
            account_id=cast.member.pk,
            session_digest=digest_of(client.session.session_key or ""),
            auth_hash=client.session["_auth_user_hash"],
        )

    sign_in(client, "mei", password=given)
    with pytest.raises(SessionEnded):
        live()
    assert change(client)["Location"] == "/"
    assert live() == cast.member


def test_after_the_change_everything_is_open_and_the_temporary_one_is_worth_nothing(
    given: str, cast: Cast, client: Client
) -> None:
    sign_in(client, "mei", password=given)
    assert change(client, new=given).status_code == 200, "the temporary one again"
    assert change(client).status_code == 302
    assert client.get("/privacy/").status_code == 200
    other = Client()
    sign_in(other, "mei", password=given)
    assert who(other) is None
    fresh = User.objects.get(pk=cast.member.pk)
    assert (fresh.must_change_password, fresh.temporary_until) == (False, None)


def test_a_temporary_password_is_outdated_after_its_hours(
    given: str, cast: Cast, client: Client, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    inside = Client()
    sign_in(inside, "mei", password=given)
    assert inside.get(PAGE).status_code == 200
    now = clock.now() + timedelta(hours=settings.PORTAL.temporary_password_hours, seconds=1)
    monkeypatch.setattr("common.clock.now", lambda: now)
    assert sign_in(client, "mei", password=given).status_code == 200
    assert who(client) is None
    assert inside.get(PAGE).status_code == 302


def test_giving_one_ends_what_the_person_has_open_and_is_recorded(cast: Cast, client: Client) -> None:
    sign_in(client, "mei")
    password = give_temporary_password(cast.member, by=cast.admin)
    assert client.get("/privacy/").status_code == 302
    assert actions(cast.member).count("account.reset_password") == 1
    assert password not in repr(list(AuditEvent.objects.values()))
    assert give_temporary_password(cast.member, by=cast.admin) != password


@pytest.mark.parametrize("who_acts", ["member", "colleague", "officer", "auditor", "operator", "outsider"])
def test_only_an_administrator_of_the_organisation_gives_one(who_acts: str, cast: Cast) -> None:
    target = cast.colleague if who_acts == "member" else cast.member
    with pytest.raises(PermissionMissing):
        give_temporary_password(target, by=cast.everybody()[who_acts])
    assert User.objects.get(pk=target.pk).password == target.password


def test_nobody_gives_one_to_themselves_or_to_people_who_have_none(cast: Cast) -> None:
    with pytest.raises(OwnAccount):
        give_temporary_password(cast.admin, by=cast.admin)
    cast.member.set_unusable_password()
    cast.member.save()
    with pytest.raises(PasswordElsewhere):
        give_temporary_password(cast.member, by=cast.admin)
    refused = AuditEvent.objects.filter(action="account.reset_password", outcome="refused")
    assert refused.count() == 2


def test_a_changed_password_is_never_the_old_one(cast: Cast) -> None:
    with pytest.raises(ValidationError, match="that you have now"):
        change_password(cast.member, new=PASSWORD)
