"""A password alone opens nothing where there is a second factor; codes open once; guessing locks."""

from __future__ import annotations

import dataclasses
import re
import time
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client
from pytest_django import Settings

from accounts import second_factor
from accounts.duties import duty_of
from accounts.errors import OwnAccount, SessionEnded
from accounts.models import User
from accounts.second_factor import code_at, new_recovery_codes, reset_second_factor, use_code
from accounts.services import read_live_account
from accounts.session_models import digest_of
from accounts.unlocking import unlock_account
from audit.models import AuditEvent
from common.access import PermissionMissing
from crypto.errors import SealBroken
from tests.accounts.support import set_parameter, sign_in, who
from tests.conftest import PASSWORD, Cast

ASK = "/accounts/second-factor/ask/"
MINE = "/accounts/second-factor/"
CONFIRM = "/accounts/confirm/"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@dataclasses.dataclass
class Clock:
    """Seconds that tests move."""

    now: float

    @property
    def code(self) -> str:
        return code_at(SECRET, int(self.now) // 30)


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> Clock:
    moved = Clock(float(int(time.time()) // 30 * 30))
    monkeypatch.setattr("time.time", lambda: moved.now)
    return moved


def give_app(account: User, seconds: Clock) -> None:
    """Give an account an app, as of a moment ago."""
    assert second_factor.add_app(account, secret=SECRET, code=code_at(SECRET, int(seconds.now) // 30 - 1))


def first_step(login: str = "mei", **fields: Any) -> Client:
    client = Client()
    response = sign_in(client, login, **fields)
    assert (response.status_code, response["Location"]) == (302, ASK)
    return client


def answer(client: Client, code: str, *, address: str = "198.51.100.7") -> Any:
    return client.post(ASK, {"code": code}, REMOTE_ADDR=address)


# --- The code -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("at", "code"), [(59, "287082"), (1111111109, "081804"), (2000000000, "279037"), (20000000000, "353130")]
)
def test_codes_are_those_of_rfc_6238(at: int, code: str) -> None:
    assert code_at("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", at // 30) == code


def test_a_password_alone_opens_nothing(cast: Cast, seconds: Clock) -> None:
    give_app(cast.member, seconds)
    client = first_step()
    for path in ("/", "/privacy/", MINE, "/accounts/password/"):
        assert client.get(path).status_code == 302
        assert who(client) is None
    assert "auth.login" not in {event.action for event in AuditEvent.objects.all()}
    assert answer(client, "000000").status_code == 200
    assert who(client) is None
    assert answer(client, seconds.code)["Location"] == "/"
    assert who(client) == str(cast.member.pk)


def test_a_code_opens_once(cast: Cast, seconds: Clock) -> None:
    give_app(cast.member, seconds)
    code = seconds.code
    assert answer(first_step(), code).status_code == 302
    again = first_step()
    assert answer(again, code).status_code == 200
    assert who(again) is None
    seconds.now += 30
    assert answer(again, code).status_code == 200, "still in the tolerance, and used"
    assert answer(again, seconds.code).status_code == 302


def test_a_code_older_than_one_that_was_used_opens_nothing(cast: Cast, seconds: Clock) -> None:
    give_app(cast.member, seconds)
    older = seconds.code
    seconds.now += 30
    assert answer(first_step(), seconds.code).status_code == 302
    assert answer(first_step(), older).status_code == 200


def test_a_code_of_somebody_else_opens_nothing(cast: Cast, seconds: Clock) -> None:
    give_app(cast.colleague, seconds)
    second_factor.add_app(cast.member, secret=second_factor.new_secret(), code="")
    assert use_code(cast.member, seconds.code) is None


def test_recovery_codes_open_once_and_are_not_in_the_database(cast: Cast, seconds: Clock) -> None:
    give_app(cast.member, seconds)
    codes = new_recovery_codes(cast.member)
    assert len(set(codes)) == 10
    stored = repr(list(Authenticator.objects.values()))
    assert SECRET not in stored
    assert not any(code in stored or code.replace("-", "") in stored for code in codes)
    client = first_step()
    assert answer(client, codes[3].upper()).status_code == 302
    assert answer(first_step(), codes[3]).status_code == 200
    fresh = new_recovery_codes(cast.member)
    assert answer(first_step(), codes[4]).status_code == 200, "replaced"
    assert answer(first_step(), fresh[4]).status_code == 302
    assert AuditEvent.objects.filter(action="account.use_recovery_code").count() == 2


def test_a_secret_cannot_be_moved_to_another_account(cast: Cast, seconds: Clock) -> None:
    give_app(cast.member, seconds)
    give_app(cast.admin, seconds)
    mine = Authenticator.objects.get(user=cast.member)
    Authenticator.objects.filter(user=cast.admin).update(data=mine.data)
    with pytest.raises(SealBroken):
        use_code(cast.admin, seconds.code)


def test_guessing_locks_the_account_and_the_right_code_then_opens_nothing(
    cast: Cast, seconds: Clock, settings: Settings
) -> None:
    give_app(cast.member, seconds)
    client = first_step()
    for _ in range(settings.PORTAL.login_attempts):
        answer(client, "000000")
    assert answer(client, seconds.code).status_code == 429
    assert who(client) is None
    assert sign_in(Client(), "mei").status_code == 429, "and the password is not looked at either"
    unlock_account(cast.member, by=cast.admin)
    assert answer(first_step(), seconds.code).status_code == 302


def test_signing_in_with_the_password_again_does_not_give_more_guesses(
    cast: Cast, seconds: Clock, settings: Settings
) -> None:
    give_app(cast.member, seconds)
    for _ in range(settings.PORTAL.login_attempts):
        answer(first_step(), "000000")
    assert sign_in(Client(), "mei").status_code == 429


def test_guesses_from_many_addresses_lock_too_and_only_this_account(
    cast: Cast, seconds: Clock, settings: Settings
) -> None:
    give_app(cast.member, seconds)
    for number in range(4 * settings.PORTAL.login_attempts):
        address = f"192.0.2.{number}"
        answer(first_step(address=address), "000000", address=address)
    assert sign_in(Client(), "mei", address="203.0.113.1").status_code == 429
    colleague = Client()
    sign_in(colleague, "lin", address="192.0.2.1")
    assert who(colleague) == str(cast.colleague.pk)


# --- One's own ------------------------------------------------------------------------------------------------------
def test_people_add_an_app_and_get_recovery_codes_once(cast: Cast, seconds: Clock) -> None:
    client, elsewhere = Client(), Client()
    sign_in(client, "mei")
    sign_in(elsewhere, "mei")
    key = client.cookies["portal_session"].value
    page = client.get(f"{MINE}app/")
    found = re.search(r'<p class="mono">([A-Z2-7 ]+)</p>', page.text)
    assert found is not None
    secret = found.group(1).replace(" ", "")
    assert "<svg" in page.text
    assert client.post(f"{MINE}app/", {"code": "000000"}).status_code == 200
    assert not User.objects.get(pk=cast.member.pk).has_second_factor
    added = client.post(f"{MINE}app/", {"code": code_at(secret, int(seconds.now) // 30)})
    codes = re.findall(r"<li>([2-9a-z-]+)</li>", added.text)
    assert len(codes) == 10
    assert User.objects.get(pk=cast.member.pk).has_second_factor
    assert client.cookies["portal_session"].value != key
    assert elsewhere.get("/privacy/").status_code == 302
    assert codes[0] not in client.get(MINE).text
    assert answer(first_step(), codes[0]).status_code == 302


def test_who_removes_the_last_factor_loses_the_recovery_codes(cast: Cast, seconds: Clock) -> None:
    give_app(cast.member, seconds)
    new_recovery_codes(cast.member)
    client = first_step()
    answer(client, seconds.code)
    assert client.post(f"{MINE}app/remove/")["Location"] == MINE
    assert not Authenticator.objects.exists()
    assert not User.objects.get(pk=cast.member.pk).has_second_factor
    assert client.post(f"{MINE}app/remove/").status_code == 404
    assert client.post(f"{MINE}codes/").status_code == 404


def test_an_administrator_takes_factors_away_and_what_is_open_ends(cast: Cast, seconds: Clock) -> None:
    give_app(cast.member, seconds)
    client = first_step()
    answer(client, seconds.code)
    for stranger in (cast.colleague, cast.outsider, cast.officer, cast.operator):
        with pytest.raises(PermissionMissing):
            reset_second_factor(cast.member, by=stranger)
    with pytest.raises(OwnAccount):
        reset_second_factor(cast.admin, by=cast.admin)
    reset_second_factor(cast.member, by=cast.admin)
    assert client.get("/privacy/").status_code == 302
    fresh = Client()
    assert sign_in(fresh, "mei")["Location"] == "/"
    assert AuditEvent.objects.filter(action="account.reset_factors", outcome="ok").count() == 1


# --- Required -------------------------------------------------------------------------------------------------------
def test_who_needs_a_factor_and_has_none_can_only_add_one(cast: Cast, seconds: Clock) -> None:
    set_parameter(cast.admin, "second_factor_member", "yes")
    client = Client()
    sign_in(client, "mei")
    for path in ("/", "/privacy/", "/consent/", "/accounts/sessions/"):
        response = client.get(path)
        assert (response.status_code, response["Location"]) == (302, MINE), path
    with pytest.raises(SessionEnded):
        read_live_account(
            account_id=cast.member.pk,
            session_digest=digest_of(client.session.session_key or ""),
            auth_hash=client.session["_auth_user_hash"],
        )
    for path in (MINE, f"{MINE}app/", f"{MINE}key/"):
        assert client.get(path).status_code == 200, path
    secret = client.session["second_factor_new_secret"]
    assert client.post(f"{MINE}app/", {"code": code_at(secret, int(seconds.now) // 30)}).status_code == 200
    assert client.get("/privacy/").status_code == 200
    other = Client()
    sign_in(other, "mei", organisation="south")
    assert other.get("/privacy/").status_code == 200


def test_the_installation_asks_operators_and_whole_roles(cast: Cast, settings: Settings) -> None:
    settings.PORTAL = dataclasses.replace(settings.PORTAL, second_factor_roles=("operator", "auditor"))
    needing = {
        name for name, person in cast.everybody().items() if duty_of(person, by_provider=False) is not None
    }
    assert needing == {"operator", "auditor", "outside_auditor"}


@pytest.mark.parametrize(("after_sso", "is_due"), [("no", False), ("yes", True)])
def test_after_the_organisations_own_sign_in_it_is_needed_only_if_so_set(
    after_sso: str, is_due: bool, cast: Cast
) -> None:
    set_parameter(cast.admin, "second_factor_member", "yes")
    if after_sso == "yes":
        set_parameter(cast.admin, "second_factor_after_sso", "yes")
    assert (duty_of(cast.member, by_provider=True) is not None) == is_due
    assert duty_of(cast.member, by_provider=False) is not None


# --- Recent sign-in -------------------------------------------------------------------------------------------------
def test_what_is_sensitive_asks_anew_after_a_while_and_leads_back(
    cast: Cast, seconds: Clock, settings: Settings
) -> None:
    client = Client()
    sign_in(client, "mei")
    assert client.get(f"{MINE}app/").status_code == 200
    seconds.now += settings.PORTAL.recent_minutes * 60
    asked = client.get(f"{MINE}app/")
    assert asked["Location"] == f"{CONFIRM}?next=/accounts/second-factor/app/"
    key = client.cookies["portal_session"].value
    assert client.post(asked["Location"], {"password": "not it at all"}).status_code == 200
    assert client.get(f"{MINE}app/").status_code == 302
    back = client.post(CONFIRM, {"password": PASSWORD, "next": f"{MINE}app/"})
    assert back["Location"] == f"{MINE}app/"
    assert client.get(f"{MINE}app/").status_code == 200
    assert client.cookies["portal_session"].value != key


def test_a_form_that_was_sent_too_late_does_nothing_and_leads_back_to_its_page(
    cast: Cast, seconds: Clock, settings: Settings
) -> None:
    give_app(cast.member, seconds)
    client = first_step()
    answer(client, seconds.code)
    seconds.now += settings.PORTAL.recent_minutes * 60
    for referer, back in (
        (f"http://testserver{MINE}?a=1", f"{MINE}%3Fa%3D1"),
        ("https://evil.example/x", "/"),
    ):
        late = client.post(f"{MINE}app/remove/", headers={"referer": referer})
        assert late["Location"] == f"{CONFIRM}?next={back}"
    assert Authenticator.objects.filter(user=cast.member).exists()
    assert client.post(CONFIRM, {"code": seconds.code, "next": "//evil.example"})["Location"] == "/"
    assert client.post(f"{MINE}app/remove/")["Location"] == MINE


def test_confirming_by_guesses_locks(cast: Cast, seconds: Clock, settings: Settings) -> None:
    client = Client()
    sign_in(client, "mei")
    for _ in range(settings.PORTAL.login_attempts):
        client.post(CONFIRM, {"password": "not it at all"})
    assert client.post(CONFIRM, {"password": PASSWORD}).status_code == 429
