"""Operators suspend organisations, hold them to quotas, and lead them to deletion; nobody else does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError

from accounts import organisations
from accounts.administration import disable_account, enable_account
from accounts.backends import may_sign_in
from accounts.models import User
from accounts.organisation_errors import AccountsFull, ErasureBegun, NameDiffers
from accounts.parameters import Wanted, approve, set_parameters
from accounts.services import create_account
from audit.models import AuditEvent
from common import clock
from common.access import PermissionMissing
from console.opening import open_organisation
from tenants.models import Tenant
from tests.conftest import PASSWORD, Cast
from tests.console.support import second_operator
from tests.tenants.support import tenant_of


def north(cast: Cast) -> Tenant:
    return Tenant.objects.get(pk=tenant_of(cast.admin))


ACTS: dict[str, Callable[[Cast, User], object]] = {
    "suspend": lambda cast, by: organisations.suspend_tenant(north(cast), by=by),
    "resume": lambda cast, by: organisations.resume_tenant(north(cast), by=by),
    "edit": lambda cast, by: organisations.set_tenant(north(cast), name="N", engine_weight=2, by=by),
    "delete": lambda cast, by: organisations.ask_deletion(north(cast), typed="North Bank", by=by),
    "keep": lambda cast, by: organisations.keep_tenant(north(cast), by=by),
}


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("name", ["member", "admin", "officer", "auditor", "outsider", "outside_auditor"])
def test_nobody_but_operators_acts_on_an_organisation(cast: Cast, act: str, name: str) -> None:
    before = Tenant.objects.values().get(pk=north(cast).pk)
    with pytest.raises(PermissionMissing):
        ACTS[act](cast, cast.everybody()[name])
    assert Tenant.objects.values().get(pk=north(cast).pk) == before
    chain = tenant_of(cast.everybody()[name])
    event = AuditEvent.objects.filter(tenant_id=chain).order_by("-seq").first()
    assert event is not None
    assert (event.action, event.outcome) == (f"tenant.{act}", "refused")


def test_an_operator_who_has_just_been_shut_out_does_nothing_more(cast: Cast) -> None:
    disable_account(cast.operator, by=second_operator())
    with pytest.raises(PermissionMissing):
        organisations.suspend_tenant(north(cast), by=cast.operator)


def test_a_suspended_organisations_people_are_out_and_their_sessions_never_come_back(cast: Cast) -> None:
    before = cast.member.get_session_auth_hash()
    organisations.suspend_tenant(north(cast), by=cast.operator)
    member = User.objects.get(pk=cast.member.pk)
    assert not may_sign_in(member)
    assert not member.has_permission("chat.use")
    organisations.resume_tenant(north(cast), by=cast.operator)
    member = User.objects.get(pk=cast.member.pk)
    assert may_sign_in(member)
    assert member.get_session_auth_hash() != before
    assert (
        User.objects.get(pk=cast.outsider.pk).get_session_auth_hash() == cast.outsider.get_session_auth_hash()
    )


def test_deletion_needs_the_name_and_waits_and_can_be_taken_back(cast: Cast) -> None:
    with pytest.raises(NameDiffers):
        organisations.ask_deletion(north(cast), typed="north bank", by=cast.operator)
    organisations.ask_deletion(north(cast), typed=" North Bank ", by=cast.operator)
    due = north(cast).erase_due_at
    assert due is not None
    assert timedelta(days=6, hours=23) < due - clock.now() <= timedelta(days=7)
    assert not north(cast).is_active
    organisations.ask_deletion(north(cast), typed="North Bank", by=cast.operator)
    assert north(cast).erase_due_at == due
    with pytest.raises(ErasureBegun):
        organisations.resume_tenant(north(cast), by=cast.operator)
    organisations.keep_tenant(north(cast), by=cast.operator)
    organisations.resume_tenant(north(cast), by=cast.operator)
    assert north(cast).is_active


def test_the_waiting_period_is_what_two_operators_have_set(cast: Cast) -> None:
    wanted = {"deletion_days": Wanted("30", 0)}
    change = set_parameters(wanted, reason="as agreed", by=cast.operator, tenant=None)[0]
    approve(change.pk, by=second_operator(), tenant=None)
    organisations.ask_deletion(north(cast), typed="North Bank", by=cast.operator)
    due = north(cast).erase_due_at
    assert due is not None
    assert due - clock.now() > timedelta(days=29)


def test_what_has_begun_to_be_deleted_is_not_taken_back(cast: Cast) -> None:
    organisations.ask_deletion(north(cast), typed="North Bank", by=cast.operator)
    Tenant.objects.filter(pk=north(cast).pk).update(erasing_since=clock.now())
    with pytest.raises(ErasureBegun):
        organisations.keep_tenant(north(cast), by=cast.operator)


@pytest.mark.parametrize(
    ("name", "weight"), [("", 1), ("N\u202e", 1), ("=1+1", 1), ("N", 0), ("N", 101), ("N", -1)]
)
def test_an_impossible_name_or_share_is_refused(cast: Cast, name: str, weight: float) -> None:
    with pytest.raises(ValidationError):
        organisations.set_tenant(north(cast), name=name, engine_weight=weight, by=cast.operator)


def grant(cast: Cast, code: str, text: str) -> None:
    set_parameters({code: Wanted(text, 0)}, reason="as agreed", by=cast.operator, tenant=north(cast))


def make(cast: Cast, login: str) -> User:
    return create_account(tenant=north(cast), login=login, display_name="Z", role="member", password=PASSWORD)


def test_no_account_more_than_the_quota_is_made_or_enabled(cast: Cast) -> None:
    grant(cast, "quota_accounts", "5")
    with pytest.raises(ValidationError, match="as many active accounts"):
        make(cast, "six")
    disable_account(cast.colleague, by=cast.admin)
    make(cast, "six")
    with pytest.raises(AccountsFull):
        enable_account(cast.colleague, by=cast.admin)


def test_one_organisations_quota_is_not_anothers(cast: Cast) -> None:
    grant(cast, "quota_accounts", "1")
    create_account(
        tenant=cast.outsider.tenant, login="new", display_name="N", role="member", password=PASSWORD
    )


def test_an_organisation_is_opened_with_an_administrator_who_must_change_the_password(cast: Cast) -> None:
    opened = open_organisation(
        code="east", name="East", login="Li.Na", display_name="Li Na", by=cast.operator
    )
    assert (opened.admin.role, opened.admin.login_name, opened.admin.must_change_password) == (
        "admin",
        "li.na",
        True,
    )
    assert opened.admin.check_password(opened.password)


@pytest.mark.parametrize("code", ["north", "North", "no/slash", "٣٣", "-x", "x" * 33, ""])
def test_a_taken_or_malformed_code_opens_nothing(cast: Cast, code: str) -> None:
    tenants, people = Tenant.objects.count(), User.objects.count()
    with pytest.raises(ValidationError):
        open_organisation(code=code, name="East", login="li", display_name="Li", by=cast.operator)
    assert (Tenant.objects.count(), User.objects.count()) == (tenants, people)


def test_a_first_administrator_who_cannot_be_made_leaves_no_organisation(cast: Cast) -> None:
    with pytest.raises(ValidationError):
        open_organisation(code="east", name="East", login="no spaces", display_name="Li", by=cast.operator)
    assert not Tenant.objects.filter(code="east").exists()


@pytest.mark.parametrize("name", ["member", "admin", "officer", "auditor"])
def test_nobody_but_operators_opens_an_organisation(cast: Cast, name: str) -> None:
    with pytest.raises(PermissionMissing):
        open_organisation(code="east", name="East", login="li", display_name="Li", by=cast.everybody()[name])
