"""Sessions end: by hand, by time, by number, with a new key at every turn, and the database opens none."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.contrib.sessions.backends.base import UpdateError
from django.test import Client
from pytest_django import Settings

from accounts.administration import change_role, sign_out_everywhere
from accounts.devices import device_of
from accounts.errors import OwnAccount
from accounts.models import User
from accounts.session_models import PortalSession, digest_of
from accounts.session_store import SessionStore
from accounts.sessions import end_other_sessions, end_own_session, sessions_of
from audit.models import AuditEvent
from common import clock
from common.access import PermissionMissing
from common.errors import NotFound
from crypto.keyring import keyring
from crypto.models import DataKey, Usage
from crypto.scope import PLATFORM
from tests.accounts.support import set_parameter, sign_in, who
from tests.conftest import Cast

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PAGE = "/accounts/sessions/"


@dataclasses.dataclass
class Time:
    """A clock that tests move."""

    now: datetime

    def pass_by(self, **span: float) -> None:
        self.now += timedelta(**span)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    moved = Time(clock.now())
    monkeypatch.setattr("common.clock.now", lambda: moved.now)
    return moved


def browser(login: str = "mei", **headers: str) -> Client:
    client = Client()
    assert sign_in(client, login, **headers).status_code == 302
    return client


def is_in(client: Client) -> bool:
    return client.get("/privacy/").status_code == 200


def key_of(client: Client) -> str:
    return client.cookies["portal_session"].value


# --- What is stored -------------------------------------------------------------------------------------------------
def test_who_reads_the_table_can_open_no_session_and_read_none(cast: Cast) -> None:
    client = browser(HTTP_USER_AGENT=FIREFOX)
    session = client.session
    session["secret"] = "a heron's own words"
    session.save()
    stored = repr(list(PortalSession.objects.values()))
    for word in (key_of(client), "heron", "_auth_user_hash", "198.51.100.7", "rv:140", "PortalBackend"):
        assert word not in stored, word
    row = PortalSession.objects.get()
    assert (row.account_id, row.device, row.address) == (cast.member.pk, "Firefox · Linux", "198.51.100.xxx")
    assert client.session["secret"] == "a heron's own words"
    thief = Client()
    for known in (row.digest, str(row.pk), str(row.id), row.sealed):
        thief.cookies["portal_session"] = known
        assert not is_in(thief)


def test_what_one_session_holds_cannot_be_put_into_another(cast: Cast) -> None:
    mei, wei = browser("mei"), browser("wei")
    held = PortalSession.objects.get(digest=digest_of(key_of(wei))).sealed
    PortalSession.objects.filter(digest=digest_of(key_of(mei))).update(sealed=held)
    assert who(mei) is None
    assert mei.get("/console/").status_code == 302
    PortalSession.objects.update(sealed="g1.0123456789abcdef.AAAA")
    assert wei.get("/console/").status_code == 302


def test_where_the_key_of_sessions_is_destroyed_everybody_signs_in_anew(cast: Cast) -> None:
    client = browser()
    key = keyring.key_in_use(PLATFORM, Usage.SEAL)
    DataKey.objects.filter(pk=key.key_id).update(
        wrapped=None, destroyed_at=clock.now(), retired_at=clock.now()
    )
    keyring.forget()
    assert client.get("/privacy/").status_code == 302


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (FIREFOX, "Firefox · Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit Chrome/141 Safari/537 Edg/141.0", "Edge · Windows"),
        ("Mozilla/5.0 (Linux; Android 15) Chrome/141 Mobile Safari MicroMessenger/8.0", "WeChat · Android"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18 Safari/604", "Safari · iPhone"),
        ("<script>alert(1)</script>", ""),
        ("", ""),
    ],
)
def test_a_device_is_a_name_of_ours_and_never_what_the_browser_says(agent: str, name: str) -> None:
    assert device_of(agent) == name


# --- Keys -----------------------------------------------------------------------------------------------------------
def test_a_key_that_was_planted_opens_nothing_after_signing_in(cast: Cast) -> None:
    """Session fixation: the victim signs in with a key that the attacker knows."""
    planted = SessionStore()
    planted["x"] = 1
    planted.create()
    victim, attacker = Client(), Client()
    for client in (victim, attacker):
        client.cookies["portal_session"] = str(planted.session_key)
    sign_in(victim, "mei")
    assert is_in(victim)
    assert key_of(victim) != planted.session_key
    assert not is_in(attacker)
    attacker.cookies["portal_session"] = "a" * 32
    attacker.get("/privacy/")
    assert not PortalSession.objects.filter(digest=digest_of("a" * 32)).exists(), (
        "keys are never the browser's choice"
    )


def test_signing_in_again_gives_another_key_and_ends_the_first(cast: Cast) -> None:
    client = browser()
    first = key_of(client)
    client.post("/accounts/logout/")
    sign_in(client, "mei")
    assert key_of(client) != first
    assert PortalSession.objects.filter(account=cast.member).count() == 1


def test_a_new_role_ends_the_session_that_had_the_old_one(cast: Cast) -> None:
    client = browser()
    change_role(cast.member, role="admin", by=cast.admin)
    assert client.get("/console/").status_code == 302
    assert not PortalSession.objects.filter(account=cast.member).exists()


def test_a_new_key_does_not_begin_the_time_anew(cast: Cast, time: Time) -> None:
    client = browser()
    before = PortalSession.objects.get()
    time.pass_by(minutes=30)
    session = client.session
    session.cycle_key()
    after = PortalSession.objects.get()
    assert after.digest != before.digest
    assert (after.opened_at, after.expires_at, after.account_id) == (
        before.opened_at, before.expires_at, before.account_id,
    )  # fmt: skip


# --- Time-outs ------------------------------------------------------------------------------------------------------
def test_a_session_ends_when_it_was_idle_for_too_long(cast: Cast, time: Time) -> None:
    client = browser()
    for _ in range(4):
        time.pass_by(minutes=59)
        assert is_in(client)
    time.pass_by(minutes=61)
    assert not is_in(client)


def test_a_session_ends_in_any_case(cast: Cast, time: Time) -> None:
    client = browser()
    for _ in range(23):
        time.pass_by(minutes=31)
        assert is_in(client)
        session = client.session
        session["saved"] = _
        session.save()
    time.pass_by(minutes=31)
    assert not is_in(client), "twelve hours are over, though it was used all the time"


def test_pages_that_ask_by_themselves_keep_no_session_alive(cast: Cast, time: Time) -> None:
    client = browser("wei")
    for _ in range(6):
        time.pass_by(minutes=9)
        assert client.get("/console/models/live/").status_code == 200
    time.pass_by(minutes=9)
    assert client.get("/console/models/live/").status_code == 302


def test_an_organisation_shortens_both_and_open_sessions_follow(cast: Cast, time: Time) -> None:
    north, south = browser(), browser("mei", organisation="south")
    set_parameter(cast.admin, "idle_minutes", "5")
    assert is_in(north)
    time.pass_by(minutes=6)
    assert not is_in(north)
    assert is_in(south)
    set_parameter(cast.admin, "session_hours", "1")
    north = browser()
    for _ in range(15):
        time.pass_by(minutes=4)
        north.get("/privacy/")
    assert not is_in(north)


def test_somebody_who_has_not_signed_in_has_no_session_for_long(cast: Cast, time: Time) -> None:
    planted = SessionStore()
    planted["x"] = 1
    planted.create()
    time.pass_by(minutes=61)
    assert not SessionStore(planted.session_key).load()
    browser()
    assert PortalSession.objects.count() == 1, "a sign-in sweeps out what is over"


# --- How many -------------------------------------------------------------------------------------------------------
def test_one_session_too_many_ends_the_oldest(cast: Cast, time: Time) -> None:
    set_parameter(cast.admin, "sessions_per_person", "2")
    clients = []
    for _ in range(4):
        time.pass_by(seconds=1)
        clients.append(browser())
    colleague = browser("lin")
    assert [is_in(client) for client in clients] == [False, False, True, True]
    assert is_in(colleague)
    assert AuditEvent.objects.filter(action="auth.session_ended").count() == 2


# --- By hand --------------------------------------------------------------------------------------------------------
def test_signing_out_ends_this_session_and_no_other(cast: Cast) -> None:
    here, elsewhere = browser(), browser()
    here.post("/accounts/logout/")
    assert (is_in(here), is_in(elsewhere)) == (False, True)


def test_people_see_their_own_sessions_and_end_them_one_by_one(cast: Cast) -> None:
    here, elsewhere, stranger = browser(HTTP_USER_AGENT=FIREFOX), browser(), browser("lin")
    page = here.get(PAGE)
    assert page.text.count(">Firefox · Linux") == 1
    assert "198.51.100.xxx" in page.text
    listed = {each.is_current: each.id for each in sessions_of(cast.member, current=digest_of(key_of(here)))}
    theirs = sessions_of(cast.colleague)[0].id
    for unknown in (theirs, uuid4()):
        assert here.post(f"{PAGE}{unknown}/end/").status_code == 404
    assert here.post(f"{PAGE}{listed[False]}/end/")["Location"] == PAGE
    assert (is_in(here), is_in(elsewhere), is_in(stranger)) == (True, False, True)
    assert here.post(f"{PAGE}{listed[True]}/end/")["Location"] == "/accounts/login/"
    assert not is_in(here)


def test_all_others_can_be_ended_at_once(cast: Cast) -> None:
    here, others = browser(), [browser() for _ in range(3)]
    assert here.post(f"{PAGE}end-others/")["Location"] == PAGE
    assert [is_in(client) for client in (here, *others)] == [True, False, False, False]
    assert end_other_sessions(cast.member, current=digest_of(key_of(here))) == 0


def test_a_session_that_ended_while_a_page_was_made_is_not_written_back(cast: Cast) -> None:
    client = browser()
    session = client.session
    session.get("x")
    end_own_session(cast.member, sessions_of(cast.member)[0].id)
    session["late"] = True
    with pytest.raises(UpdateError):
        session.save()
    assert not PortalSession.objects.exists()


def test_an_administrator_ends_what_somebody_has_open(cast: Cast) -> None:
    clients = [browser(), browser()]
    sign_out_everywhere(cast.member, by=cast.admin)
    assert not any(map(is_in, clients))
    assert AuditEvent.objects.filter(action="account.end_sessions", outcome="ok").count() == 1
    with pytest.raises(OwnAccount):
        sign_out_everywhere(cast.admin, by=cast.admin)
    for stranger in (cast.operator, cast.outsider, cast.officer, cast.colleague):
        with pytest.raises(PermissionMissing):
            sign_out_everywhere(cast.member, by=stranger)


def test_nobody_ends_another_persons_session_by_its_id(cast: Cast) -> None:
    browser("lin")
    theirs: UUID = sessions_of(cast.colleague)[0].id
    with pytest.raises(NotFound):
        end_own_session(cast.member, theirs)
    assert sessions_of(User.objects.get(pk=cast.colleague.pk))


def test_the_installation_bounds_what_organisations_set(cast: Cast, settings: Settings, time: Time) -> None:
    set_parameter(cast.admin, "idle_minutes", "50")
    settings.PORTAL = dataclasses.replace(settings.PORTAL, idle_minutes=10)
    client = browser()
    time.pass_by(minutes=11)
    assert not is_in(client)
