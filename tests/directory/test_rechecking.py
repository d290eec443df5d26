"""Who is no longer the directory's is out soon; who is, and whoever is not the directory's, stays."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.directory import servers
from accounts.directory.rechecking import recheck_everybody
from accounts.models import User
from audit.models import AuditEvent
from tests.accounts.support import sign_in
from tests.conftest import Cast
from tests.directory.slapd import PEOPLE, Slapd
from tests.directory.test_signing_in import add_directory, enter


@pytest.fixture
def signed_in(cast: Cast, own_slapd: Slapd) -> Client:
    add_directory(cast, own_slapd.plain)
    client, _ = enter("an")
    assert is_in(client)
    return client


def is_in(client: Client) -> bool:
    return client.get("/privacy/").status_code == 200


def actions() -> list[str]:
    rows = AuditEvent.objects.filter(action__startswith="identity.").order_by("at_us", "seq")
    return list(rows.values_list("action", flat=True))[3:]


def test_who_is_still_there_stays(signed_in: Client) -> None:
    assert recheck_everybody().asked == 1
    assert is_in(signed_in)
    assert actions() == []


@pytest.mark.parametrize("how", ["deleted", "disabled", "out of the group"])
def test_who_is_gone_disabled_or_out_of_the_group_is_signed_out_and_cannot_come_back(
    how: str, signed_in: Client, own_slapd: Slapd
) -> None:
    if how == "deleted":
        own_slapd.delete("an")
    elif how == "disabled":
        own_slapd.change(f"uid=an,{PEOPLE}", employeeType="disabled")
    else:
        own_slapd.set_member("an", "staff", is_in=False)
    result = recheck_everybody()
    assert (len(result.signed_out), is_in(signed_in)) == (1, False)
    assert actions() == ["identity.no_group" if how == "out of the group" else "identity.leave"]
    assert not is_in(enter("an")[0])
    assert recheck_everybody().asked == 0


def test_who_comes_back_is_let_in_again(signed_in: Client, own_slapd: Slapd) -> None:
    own_slapd.set_member("an", "staff", is_in=False)
    recheck_everybody()
    own_slapd.set_member("an", "staff", is_in=True)
    again, _ = enter("an")
    assert is_in(again)
    assert recheck_everybody().asked == 1


def test_another_group_gives_another_role_and_ends_the_session(signed_in: Client, own_slapd: Slapd) -> None:
    own_slapd.set_member("an", "admins", is_in=True)
    assert recheck_everybody().signed_out == []
    assert not is_in(signed_in)
    assert User.objects.get(login_name="an").role == "admin"


def test_a_directory_that_is_down_signs_nobody_out(signed_in: Client, own_slapd: Slapd) -> None:
    own_slapd.stop()
    servers.forget_silence()
    result = recheck_everybody()
    assert (result.silent, result.signed_out, is_in(signed_in)) == (1, [], True)


def test_local_people_are_not_asked_about(signed_in: Client, own_slapd: Slapd, cast: Cast) -> None:
    local = Client()
    sign_in(local, "mei")
    own_slapd.delete("mei")
    assert recheck_everybody().asked == 1
    assert is_in(local)
