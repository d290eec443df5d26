"""A link lets one person take up one account, once, while it holds: nothing else opens, for nobody else."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.conf import settings
from django.test import Client

from accounts.administration import change_role, disable_account, enable_account
from accounts.errors import AdminThere, InvitationOver, PasswordThere
from accounts.invitations import Invitation, accept_invitation, find_invited, renew_invitation
from accounts.models import User
from accounts.onboarding import Newcomer, Way, add_account, appoint_first_admin, renew_first_admin
from audit.models import AuditEvent
from common.access import PermissionMissing
from console.opening import open_tenant
from tenants.models import Tenant
from tests.accounts.support import sign_in, who
from tests.conftest import Cast

PAGE = "/accounts/invitation/"
OWN = "the heron waits for rain"


def invited(by: User, login: str = "new") -> Invitation:
    welcome = add_account(Newcomer(login, "Someone New"), way=Way.INVITATION, by=by)
    assert welcome.invitation is not None
    return welcome.invitation


def link(invitation: Invitation) -> str:
    return f"{PAGE}{invitation.account_id}/{invitation.token}/"


def follow(client: Client, invitation: Invitation) -> Any:
    return client.get(link(invitation), follow=True)


def take_up(client: Client, password: str = OWN) -> Any:
    return client.post(PAGE, {"new": password, "again": password})


def account_of(invitation: Invitation) -> User:
    return User.objects.get(pk=invitation.account_id)


def test_the_person_sets_a_password_and_signs_in_with_it(cast: Cast, client: Client) -> None:
    invitation = invited(cast.admin)
    page = follow(client, invitation)
    assert (page.status_code, page.redirect_chain) == (200, [(PAGE, 302)])
    assert "Someone New" in page.text
    assert invitation.token not in page.text
    response = take_up(client)
    assert (response.status_code, response["Location"]) == (302, "/accounts/login/")
    assert who(client) is None, "setting the password is not signing in"
    sign_in(client, "new", password=OWN)
    assert who(client) == str(invitation.account_id)
    actions = [event.action for event in AuditEvent.objects.filter(object_id=str(invitation.account_id))]
    assert actions == ["account.create", "account.join"]


def test_looking_at_the_page_does_not_use_the_link_up(cast: Cast, client: Client) -> None:
    invitation = invited(cast.admin)
    for _ in range(3):
        assert follow(Client(), invitation).status_code == 200
    follow(client, invitation)
    assert take_up(client).status_code == 302


def test_a_password_that_the_policy_refuses_does_not_use_the_link_up(cast: Cast, client: Client) -> None:
    follow(client, invited(cast.admin))
    assert take_up(client, "password12").status_code == 400
    assert take_up(client).status_code == 302


def test_an_invited_account_cannot_be_signed_in_to(cast: Cast, client: Client) -> None:
    invited(cast.admin)
    for password in ("", "!", account_of(invited(cast.admin, "other")).password):
        sign_in(client, "new", password=password)
        assert who(client) is None


def used(invitation: Invitation, _cast: Cast) -> None:
    accept_invitation(invitation, password=OWN)


def replaced(invitation: Invitation, cast: Cast) -> None:
    renew_invitation(account_of(invitation), by=cast.admin)


def disabled(invitation: Invitation, cast: Cast) -> None:
    disable_account(account_of(invitation), by=cast.admin)


def disabled_and_enabled(invitation: Invitation, cast: Cast) -> None:
    disable_account(account_of(invitation), by=cast.admin)
    enable_account(account_of(invitation), by=cast.admin)


def given_a_role(invitation: Invitation, cast: Cast) -> None:
    change_role(account_of(invitation), role="admin", by=cast.admin)


def organisation_closed(_invitation: Invitation, cast: Cast) -> None:
    Tenant.objects.filter(code="north").update(is_active=False)


@pytest.mark.parametrize(
    "event", [used, replaced, disabled, disabled_and_enabled, given_a_role, organisation_closed]
)
def test_a_link_is_worthless_once(
    event: Callable[[Invitation, Cast], None], cast: Cast, client: Client
) -> None:
    invitation = invited(cast.admin)
    follow(client, invitation)
    event(invitation, cast)
    before = account_of(invitation).password
    assert follow(Client(), invitation).status_code == 410
    assert take_up(client, "another heron entirely").status_code == 410
    with pytest.raises(InvitationOver):
        accept_invitation(invitation, password="another heron entirely")
    assert account_of(invitation).password == before


def test_a_link_ends_by_itself(cast: Cast, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    invitation = invited(cast.admin)
    end = account_of(invitation).invited_until
    assert end is not None
    monkeypatch.setattr("common.clock.now", lambda: end - timedelta(seconds=5))
    assert find_invited(invitation).pk == invitation.account_id
    monkeypatch.setattr("common.clock.now", lambda: end + timedelta(seconds=1))
    assert follow(client, invitation).status_code == 410
    assert timedelta(hours=settings.PORTAL.invitation_hours - 1) < end - account_of(invitation).joined_at


def test_a_link_opens_no_other_account_in_this_organisation_or_another(cast: Cast) -> None:
    """Neither by another id with this token, nor by this id with the token of somebody else."""
    south_admin = User.objects.get(pk=cast.outsider.pk)
    User.objects.filter(pk=south_admin.pk).update(role="admin")
    here, beside, there = invited(cast.admin), invited(cast.admin, "b"), invited(south_admin, "new")
    for account_id, token in [
        (there.account_id, here.token),
        (here.account_id, there.token),
        (beside.account_id, here.token),
        (cast.admin.pk, here.token),
        (cast.operator.pk, here.token),
        (uuid4(), here.token),
        (here.account_id, here.token[:-1] + ("0" if here.token[-1] != "0" else "1")),
        (here.account_id, ""),
        (here.account_id, "é" * 64),
    ]:
        with pytest.raises(InvitationOver):
            find_invited(Invitation(account_id, token))
        with pytest.raises(InvitationOver):
            accept_invitation(Invitation(account_id, token), password=OWN)
    assert find_invited(here).tenant_id == cast.admin.tenant_id
    assert find_invited(there).tenant_id == south_admin.tenant_id


def test_every_link_that_does_not_hold_looks_the_same(cast: Cast) -> None:
    pages = set()
    used_up = invited(cast.admin)
    accept_invitation(used_up, password=OWN)
    for invitation in (used_up, Invitation(uuid4(), "x" * 64), Invitation(cast.admin.pk, used_up.token)):
        page = follow(Client(headers={"accept-language": "en"}), invitation)
        pages.add(re.sub(r'value="[^"]+"', "", page.text))
    assert len(pages) == 1


def test_somebody_else_who_is_signed_in_here_is_signed_out(cast: Cast, client: Client) -> None:
    client.force_login(cast.colleague)
    follow(client, invited(cast.admin))
    take_up(client)
    assert who(client) is None


def test_a_link_is_never_given_to_somebody_who_has_a_way_in(cast: Cast) -> None:
    for person in (cast.member, cast.officer):
        with pytest.raises(PasswordThere):
            renew_invitation(person, by=cast.admin)
        assert person.has_usable_password()


def test_only_administrators_of_the_organisation_invite(cast: Cast) -> None:
    for by in (cast.member, cast.officer, cast.auditor, cast.outsider):
        with pytest.raises(PermissionMissing):
            invited(by)
    account = account_of(invited(cast.admin))
    for by in (cast.operator, cast.member, cast.outsider):
        with pytest.raises(PermissionMissing):
            renew_invitation(account, by=by)


def test_an_operator_appoints_the_first_administrator_and_no_second(cast: Cast, client: Client) -> None:
    west = open_tenant(code="west", name="West")
    welcome = appoint_first_admin(west, Newcomer("ann", "Ann"), way=Way.INVITATION, by=cast.operator)
    assert (welcome.account.role, welcome.account.tenant_id) == ("admin", west.pk)
    with pytest.raises(AdminThere):
        appoint_first_admin(west, Newcomer("bob", "Bob"), way=Way.INVITATION, by=cast.operator)
    assert welcome.invitation is not None
    follow(client, welcome.invitation)
    assert take_up(client).status_code == 302
    sign_in(client, "ann", organisation="west", password=OWN)
    assert who(client) == str(welcome.account.pk)
    with pytest.raises(AdminThere):
        renew_first_admin(west, by=cast.operator)
    assert list(
        AuditEvent.objects.filter(tenant_id=west.pk, outcome="refused").values_list("status", flat=True)
    )


def test_a_first_administrator_who_never_came_gets_another_link(cast: Cast) -> None:
    west = open_tenant(code="west", name="West")
    first = appoint_first_admin(west, Newcomer("ann", "Ann"), way=Way.INVITATION, by=cast.operator).invitation
    second = renew_first_admin(west, by=cast.operator).invitation
    assert first is not None
    assert second is not None
    with pytest.raises(InvitationOver):
        find_invited(first)
    assert find_invited(second).login_name == "ann"


def test_only_operators_appoint_first_administrators(cast: Cast) -> None:
    west = open_tenant(code="west", name="West")
    for by in (cast.admin, cast.member, cast.officer, cast.auditor):
        with pytest.raises(PermissionMissing):
            appoint_first_admin(west, Newcomer("ann", "Ann"), way=Way.INVITATION, by=by)
        with pytest.raises(PermissionMissing):
            renew_first_admin(west, by=by)
    assert not User.objects.filter(tenant=west).exists()


def test_an_operator_gives_no_way_into_an_organisation_that_has_an_administrator(cast: Cast) -> None:
    north = Tenant.objects.get(code="north")
    with pytest.raises(AdminThere):
        appoint_first_admin(north, Newcomer("spy", "Spy"), way=Way.PASSWORD, by=cast.operator)
    with pytest.raises(AdminThere):
        renew_first_admin(north, by=cast.operator)


def test_nothing_of_a_link_is_stored(cast: Cast) -> None:
    invitation = invited(cast.admin)
    row = User.objects.filter(pk=invitation.account_id).values().get()
    assert invitation.token not in str(row)
    assert isinstance(invitation.account_id, UUID)
