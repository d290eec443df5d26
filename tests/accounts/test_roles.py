"""One account, one role, and only what the role permits."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from accounts.models import User, make_handle
from accounts.roles import LANDING_PAGES, ROLE_PERMISSIONS, Role, permissions_of
from accounts.services import create_account
from tenants.models import Tenant
from tenants.services import create_tenant
from tests.conftest import PASSWORD, Cast

GRANTS = {
    "member": {"chat.use", "api.use"},
    "admin": {
        "console.view",
        "account.manage",
        "account.import",
        "identity.manage",
        "model.view",
        "model.choose",
        "parameter.view",
        "parameter.edit",
        "notice.view",
        "notice.edit",
    },
    "officer": {
        "policy.view",
        "policy.edit",
        "policy.approve",
        "model.view",
        "model.approve",
        "parameter.view",
        "parameter.approve",
        "notice.view",
        "notice.approve",
    },
    "auditor": {"audit.read"},
    "operator": {
        "installation.view",
        "account.manage",
        "tenant.manage",
        "identity.manage",
        "model.view",
        "model.manage",
        "model.approve",
        "parameter.view",
        "parameter.edit",
        "parameter.approve",
    },
}
# What two of the three separated roles may both do: look at what one proposes and the other approves.
SHARED = {"model.view", "parameter.view", "notice.view"}


@pytest.mark.parametrize("role", GRANTS)
def test_a_role_grants_exactly_its_permissions(role: str, cast: Cast) -> None:
    person = cast.everybody()[role]
    every = {permission for granted in ROLE_PERMISSIONS.values() for permission in granted}
    assert {name for name in every if person.has_permission(name)} == GRANTS[role]
    assert not person.has_permission("")
    assert not person.has_permission("chat")


def test_every_role_has_permissions_and_a_landing_page() -> None:
    assert set(Role.values) == ROLE_PERMISSIONS.keys() == LANDING_PAGES.keys() == GRANTS.keys()


def test_separated_admin_officer_and_auditor_share_no_permission_but_to_see_what_is_proposed(
    cast: Cast,
) -> None:
    roles = ("admin", "officer", "auditor")
    granted = [permissions_of(role, three_admin_separation=True) - SHARED for role in roles]
    assert sum(map(len, granted)) == len(frozenset.union(*granted))
    assert not cast.admin.has_permission("policy.view")


def test_without_the_separation_an_admin_is_officer_too_but_never_auditor(cast: Cast) -> None:
    assert cast.admin.tenant is not None
    cast.admin.tenant.three_admin_separation = False
    assert cast.admin.has_permission("policy.view")
    assert cast.admin.has_permission("console.view")
    assert not cast.admin.has_permission("audit.read")
    assert not cast.admin.has_permission("chat.use")
    for role in ("member", "officer", "auditor", "operator"):
        assert permissions_of(role, three_admin_separation=False) == GRANTS[role]


def test_an_unknown_role_grants_nothing(cast: Cast) -> None:
    cast.member.role = "root"
    assert not any(cast.member.has_permission(name) for names in GRANTS.values() for name in names)


def test_a_disabled_account_or_organisation_has_no_permission(cast: Cast) -> None:
    cast.member.is_active = False
    assert not cast.member.has_permission("chat.use")
    assert cast.auditor.tenant is not None
    cast.auditor.tenant.is_active = False
    assert not cast.auditor.has_permission("audit.read")


def test_handles_are_unique_within_an_organisation_and_not_across(cast: Cast) -> None:
    assert cast.member.handle == "north/mei"
    assert cast.outsider.handle == "south/mei"
    assert cast.operator.handle == "tao"
    with pytest.raises(IntegrityError), transaction.atomic():
        User(tenant=cast.member.tenant, login_name="mei", display_name="x", role="member").save()
    with pytest.raises(IntegrityError), transaction.atomic():
        User(tenant=None, login_name="TAO", display_name="x", role="operator").save()


def test_names_cannot_be_put_together_to_another_persons_handle() -> None:
    with pytest.raises(ValidationError):
        Tenant(code="no/rth", name="x").clean_fields()
    with pytest.raises(ValidationError):
        User(login_name="north/mei", display_name="x", role="operator").clean_fields(
            exclude=["handle", "password"]
        )
    assert make_handle(organisation="a", login="b") != make_handle(organisation="", login="b")


@pytest.mark.parametrize(("role", "has_tenant"), [("operator", True), ("member", False), ("auditor", False)])
def test_the_database_refuses_operators_with_a_tenant_and_others_without(
    role: str, has_tenant: bool, cast: Cast
) -> None:
    tenant = cast.member.tenant if has_tenant else None
    with pytest.raises(IntegrityError, match="operators_have_no_tenant"), transaction.atomic():
        User(tenant=tenant, login_name="new", display_name="New", role=role).save()
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.filter(pk=cast.operator.pk).update(tenant=cast.member.tenant)
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.filter(pk=cast.member.pk).update(role="operator")


@pytest.mark.parametrize("login", ["", "a b", "a/b", "ä", "-a", "a" * 65, "a\n", "a\x00", "\u200ba"])
def test_an_odd_login_is_refused(login: str, cast: Cast) -> None:
    with pytest.raises(ValidationError):
        create_account(
            tenant=cast.member.tenant, login=login, display_name="New", role="member", password=PASSWORD
        )


@pytest.mark.parametrize("password", ["", "short", "1234567890123", "password123", "qwertyuiop"])
def test_a_weak_password_is_refused(password: str, cast: Cast) -> None:
    with pytest.raises(ValidationError):
        create_account(
            tenant=cast.member.tenant, login="new", display_name="New", role="member", password=password
        )
    assert not User.objects.filter(login_name="new").exists()


@pytest.mark.parametrize("role", ["", "root", "Member"])
def test_an_unknown_role_is_refused(role: str, cast: Cast) -> None:
    with pytest.raises(ValidationError):
        create_account(
            tenant=cast.member.tenant, login="new", display_name="New", role=role, password=PASSWORD
        )


@pytest.mark.parametrize("code", ["", "North", "a b", "-a", "a-", "a" * 33, "ä", "a\n", "north"])
def test_an_odd_or_taken_organisation_code_is_refused(code: str, cast: Cast) -> None:
    with pytest.raises(ValidationError):
        create_tenant(code=code, name="New")
