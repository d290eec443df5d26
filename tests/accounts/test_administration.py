"""Roles are given by others, never lost to the last, and whoever loses one loses what they had open."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from accounts import live
from accounts.administration import change_role, disable_account, enable_account, set_separation
from accounts.errors import LastOfRole, OwnAccount, RoleImpossible, RolesMissing
from accounts.models import User
from accounts.services import create_account
from audit.models import AuditEvent
from common.access import PermissionMissing
from tenants.models import Tenant
from tests.accounts.support import sign_in
from tests.conftest import PASSWORD, Cast


def tenant_of(person: User) -> Tenant:
    assert person.tenant is not None
    return person.tenant


def another(role: str, like: User, login: str = "another") -> User:
    return create_account(
        tenant=like.tenant, login=login, display_name="Another", role=role, password=PASSWORD
    )


def now(person: User) -> User:
    return User.objects.get(pk=person.pk)


def last_event() -> tuple[str, str, str, int]:
    event = AuditEvent.objects.order_by("at_us", "seq").last()
    assert event is not None
    return event.action, event.object_id, event.outcome, event.status


@pytest.mark.parametrize("role", ["admin", "officer", "auditor"])
def test_an_admin_gives_a_role_and_it_is_recorded(role: str, cast: Cast) -> None:
    change_role(cast.member, role=role, by=cast.admin)
    assert now(cast.member).role == role
    assert last_event() == (f"account.make_{role}", str(cast.member.id), "ok", 200)
    change_role(cast.member, role="member", by=cast.admin)
    assert now(cast.member).role == "member"


@pytest.mark.parametrize("name", ["member", "officer", "auditor", "operator", "outsider", "outside_auditor"])
def test_nobody_but_an_admin_of_the_organisation_changes_its_accounts(name: str, cast: Cast) -> None:
    by = cast.everybody()[name]
    acts: list[Callable[[], None]] = [
        lambda: change_role(cast.colleague, role="admin", by=by),
        lambda: disable_account(cast.colleague, by=by),
        lambda: enable_account(cast.colleague, by=by),
    ]
    for act in acts:
        with pytest.raises(PermissionMissing):
            act()
        event = AuditEvent.objects.filter(tenant_id=by.tenant_id or "0" * 32).order_by("seq").last()
        assert event is not None
        assert (event.outcome, event.status) == ("refused", 404)
        own = str(cast.colleague.id) if by.tenant_id == cast.colleague.tenant_id else ""
        assert event.object_id == own, "a chain never names another organisation's account"
    assert (now(cast.colleague).role, now(cast.colleague).is_active) == ("member", True)


def test_an_admin_of_another_organisation_changes_nothing_here(cast: Cast) -> None:
    stranger = another("admin", cast.outsider)
    with pytest.raises(PermissionMissing):
        disable_account(cast.member, by=stranger)
    with pytest.raises(PermissionMissing):
        disable_account(cast.operator, by=stranger)
    with pytest.raises(PermissionMissing):
        disable_account(cast.admin, by=cast.operator)
    assert now(cast.member).is_active


def test_nobody_changes_the_own_account(cast: Cast) -> None:
    another("admin", cast.admin)
    acts: tuple[Callable[[], None], ...] = (
        lambda: change_role(cast.admin, role="officer", by=cast.admin),
        lambda: disable_account(cast.admin, by=cast.admin),
        lambda: disable_account(cast.operator, by=cast.operator),
    )
    for act in acts:
        with pytest.raises(OwnAccount):
            act()
        assert last_event()[2:] == ("refused", 403)
    assert now(cast.admin).role == "admin"


@pytest.mark.parametrize("role", ["operator", "root", "", "Admin"])
def test_a_role_that_cannot_be_given_is_refused(role: str, cast: Cast) -> None:
    with pytest.raises(RoleImpossible):
        change_role(cast.member, role=role, by=cast.admin)
    assert now(cast.member).role == "member"


def test_an_operator_never_becomes_anything_else(cast: Cast) -> None:
    second = another("operator", cast.operator)
    with pytest.raises(RoleImpossible):
        change_role(second, role="member", by=cast.operator)


def test_the_last_admin_stays(cast: Cast) -> None:
    """The only way to it is another admin, who is disabled meanwhile: their word counts no more."""
    second = another("admin", cast.admin)
    disable_account(second, by=cast.admin)
    with pytest.raises(PermissionMissing):
        disable_account(cast.admin, by=second)
    enable_account(second, by=cast.admin)
    change_role(cast.admin, role="member", by=second)
    with pytest.raises(PermissionMissing):
        change_role(second, role="member", by=cast.admin)
    assert User.objects.filter(tenant=cast.admin.tenant, role="admin", is_active=True).get() == second


@pytest.mark.parametrize("name", ["officer", "auditor"])
def test_the_last_officer_and_auditor_stay_while_the_three_are_separated(name: str, cast: Cast) -> None:
    person = cast.everybody()[name]
    acts: tuple[Callable[[], None], ...] = (
        lambda: change_role(person, role="member", by=cast.admin),
        lambda: disable_account(person, by=cast.admin),
    )
    for act in acts:
        with pytest.raises(LastOfRole):
            act()
    another(name, person)
    change_role(person, role="member", by=cast.admin)
    assert now(person).role == "member"


def test_without_separation_the_last_officer_may_go(cast: Cast) -> None:
    set_separation(tenant_of(cast.admin), is_on=False, by=cast.operator)
    change_role(cast.officer, role="member", by=cast.admin)
    assert now(cast.officer).role == "member"


def test_the_last_operator_stays(cast: Cast) -> None:
    second = another("operator", cast.operator)
    disable_account(second, by=cast.operator)
    with pytest.raises(PermissionMissing):
        disable_account(cast.operator, by=second)
    assert now(cast.operator).is_active


def test_separation_is_refused_while_a_role_is_nobodys(cast: Cast) -> None:
    tenant = tenant_of(cast.admin)
    set_separation(tenant, is_on=False, by=cast.operator)
    disable_account(cast.officer, by=cast.admin)
    with pytest.raises(RolesMissing):
        set_separation(tenant, is_on=True, by=cast.operator)
    assert last_event() == ("tenant.separate", str(tenant.id), "refused", 409)
    enable_account(cast.officer, by=cast.admin)
    set_separation(tenant, is_on=True, by=cast.operator)
    assert Tenant.objects.get(pk=tenant.pk).three_admin_separation
    assert last_event() == ("tenant.separate", str(tenant.id), "ok", 200)


@pytest.mark.parametrize("name", ["member", "admin", "officer", "auditor", "outsider"])
def test_nobody_but_an_operator_lifts_the_separation(name: str, cast: Cast) -> None:
    """An admin who could would give themselves the officer's permissions."""
    tenant = tenant_of(cast.admin)
    with pytest.raises(PermissionMissing):
        set_separation(tenant, is_on=False, by=cast.everybody()[name])
    assert Tenant.objects.get(pk=tenant.pk).three_admin_separation


def test_sessions_from_before_a_change_are_over(cast: Cast) -> None:
    client = Client()
    sign_in(client, "mei")
    change_role(cast.member, role="officer", by=cast.admin)
    assert client.get("/console/policy/").status_code == 302
    again = Client()
    sign_in(again, "mei")
    assert again.get("/console/policy/").status_code == 200
    disable_account(cast.member, by=cast.admin)
    enable_account(cast.member, by=cast.admin)
    assert again.get("/console/policy/").status_code == 302


def test_lifting_the_separation_ends_what_admins_have_open(cast: Cast) -> None:
    client = Client()
    sign_in(client, "wei")
    assert client.get("/console/").status_code == 200
    assert set_separation(tenant_of(cast.admin), is_on=False, by=cast.operator) == [cast.admin.id]
    assert client.get("/console/").status_code == 302


def test_the_terminal_asks_who_acts_and_leaves_word_for_the_server(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCOUNT_PASSWORD", PASSWORD)
    live._take_word()
    call_command("account", "role", "north/mei", "auditor", "--as", "north/wei")
    assert now(cast.member).role == "auditor"
    assert live._take_word() == [("account", cast.member.id)]
    call_command("account", "disable", "north/mei", "--as", "north/wei")
    assert not now(cast.member).is_active
    call_command("account", "enable", "north/mei", "--as", "north/wei")
    assert now(cast.member).is_active
    call_command("tenant", "separation", "north", "off", "--as", "tao")
    assert not Tenant.objects.get(code="north").three_admin_separation
    assert set(live._take_word()) == {("account", cast.member.id), ("account", cast.admin.id)}


@pytest.mark.parametrize("handle", ["south/mei", "tao", "north/nobody"])
def test_at_the_terminal_another_organisations_account_looks_like_none(
    handle: str, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCOUNT_PASSWORD", PASSWORD)
    with pytest.raises(CommandError, match="does not exist"):
        call_command("account", "disable", handle, "--as", "north/wei")
    assert last_event()[0] == "access.denied"
    monkeypatch.setenv("ACCOUNT_PASSWORD", "wrong")
    with pytest.raises(CommandError, match="not right"):
        call_command("account", "disable", "north/mei", "--as", "north/wei")
