"""Who a provider vouches for is (organisation, provider, subject): names make nobody somebody else."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.arriving import Arrival, receive
from accounts.errors import (
    IdentityCollision,
    IdentityTaken,
    IdentityUnusable,
    LinkRefused,
    NotInAnyGroup,
    RolesExcludeEachOther,
    SignInRefused,
)
from accounts.linking import identities_of, link_identity, unlink_identity
from accounts.models import User
from accounts.provider_models import Identity, IdentityProvider
from accounts.providers import switch_provider
from audit.models import AuditEvent
from common.access import PermissionMissing
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.accounts.provider_support import open_provider, organisation_of
from tests.conftest import Cast

AN = Arrival(subject="7f-1", login_name="An", display_name="An Li", groups=("staff",))


@pytest.fixture
def provider(cast: Cast) -> IdentityProvider:
    return open_provider(organisation_of(cast.member), by=cast.admin)


def actions(tenant: Tenant) -> list[str]:
    rows = AuditEvent.objects.filter(tenant_id=tenant.id).order_by("seq")
    return [name for name in rows.values_list("action", flat=True) if name.startswith("identity.")][2:]


def test_the_first_arrival_makes_an_account_and_the_next_finds_it(provider: IdentityProvider) -> None:
    first = receive(provider, AN)
    assert (first.handle, first.display_name, first.role) == ("north/an", "An Li", "member")
    assert not first.has_usable_password()
    renamed = Arrival(subject="7f-1", login_name="an.wang", display_name="An Wang", groups=("staff",))
    second = receive(provider, renamed)
    assert (second.pk, second.handle, second.display_name) == (first.pk, "north/an", "An Wang")
    assert actions(provider.tenant) == ["identity.arrive"]


def test_another_subject_with_the_same_name_is_another_person(provider: IdentityProvider) -> None:
    """A name that the directory gave away anew opens nothing of who had it before."""
    receive(provider, AN)
    with pytest.raises(IdentityCollision):
        receive(provider, Arrival(subject="7f-2", login_name="an", groups=("staff",)))
    assert User.objects.filter(login_name="an").count() == 1
    assert actions(provider.tenant) == ["identity.arrive", "identity.collide"]


@pytest.mark.parametrize("name", ["member", "admin", "auditor"])
def test_a_local_account_is_never_taken_by_its_name(
    name: str, provider: IdentityProvider, cast: Cast
) -> None:
    account = cast.everybody()[name]
    with pytest.raises(IdentityCollision):
        receive(provider, Arrival(subject="7f-3", login_name=account.login_name.upper(), groups=("staff",)))
    assert identities_of(account) == []


def test_the_same_subject_at_two_providers_is_two_identities(provider: IdentityProvider, cast: Cast) -> None:
    other = open_provider(provider.tenant, by=cast.admin, code="other")
    account = receive(provider, AN)
    with pytest.raises(IdentityCollision):
        receive(other, AN)
    link_identity(account, provider=other, subject=AN.subject, by=cast.admin)
    assert receive(other, AN) == account


def test_the_same_person_in_two_organisations_is_two_accounts(provider: IdentityProvider, cast: Cast) -> None:
    south = open_provider(organisation_of(cast.outsider), by=cast.operator)
    assert receive(provider, AN).tenant_id != receive(south, AN).tenant_id
    with tenant_scope(south.tenant_id):
        assert Identity.objects.count() == 1


@pytest.mark.parametrize("subject", ["", "  ", "x" * 256, "a\x00b"])
def test_an_odd_subject_is_refused(subject: str, provider: IdentityProvider) -> None:
    with pytest.raises(IdentityUnusable):
        receive(provider, Arrival(subject=subject, login_name="an", groups=("staff",)))


@pytest.mark.parametrize("login", ["", "a b", "north/mei", "-a", "安", "a" * 65, "a\x00"])
def test_a_user_name_that_cannot_be_one_here_is_refused(login: str, provider: IdentityProvider) -> None:
    with pytest.raises(IdentityUnusable):
        receive(provider, Arrival(subject="1", login_name=login, groups=("staff",)))
    with tenant_scope(provider.tenant_id):
        assert not Identity.objects.exists()


def test_odd_letters_in_a_display_name_are_dropped(provider: IdentityProvider) -> None:
    arrival = Arrival(
        subject="1", login_name="an", display_name=" A\x00n\u202e\n" + "x" * 200, groups=("staff",)
    )
    assert receive(provider, arrival).display_name == "An" + "x" * 78


def test_groups_decide_on_the_role_each_time_and_a_change_signs_out(
    provider: IdentityProvider, client: Client
) -> None:
    account = receive(provider, AN)
    client.force_login(account, backend="accounts.backends.PortalBackend")
    receive(provider, AN)
    assert client.get("/privacy/").status_code == 200
    again = receive(provider, Arrival(subject="7f-1", login_name="an", groups=("staff", "admins")))
    assert (again.pk, again.role) == (account.pk, "admin")
    assert client.get("/privacy/").status_code == 302
    client.force_login(again, backend="accounts.backends.PortalBackend")
    assert client.get("/console/").status_code == 200
    assert actions(provider.tenant) == ["identity.arrive", "identity.role"]


def test_whoever_is_in_no_group_any_more_is_refused_and_signed_out(
    provider: IdentityProvider, client: Client
) -> None:
    account = receive(provider, AN)
    client.force_login(account, backend="accounts.backends.PortalBackend")
    with pytest.raises(NotInAnyGroup):
        receive(provider, Arrival(subject="7f-1", login_name="an"))
    assert client.get("/privacy/").status_code == 302
    with pytest.raises(RolesExcludeEachOther):
        receive(provider, Arrival(subject="7f-1", login_name="an", groups=("admins", "audit")))
    assert actions(provider.tenant) == ["identity.arrive", "identity.no_group", "identity.no_group"]


def test_nobody_arrives_where_no_group_is_named_and_no_role_is_given_to_all(cast: Cast) -> None:
    provider = open_provider(organisation_of(cast.member), by=cast.admin, role_mapping=())
    with pytest.raises(NotInAnyGroup):
        receive(provider, AN)
    open_to_all = open_provider(
        organisation_of(cast.member), by=cast.admin, code="all", role_mapping=(), default_role="member"
    )
    account = receive(open_to_all, AN)
    User.objects.filter(pk=account.pk).update(role="officer")
    assert receive(open_to_all, AN).role == "officer"


def test_a_switched_off_account_provider_or_organisation_lets_nobody_in(
    provider: IdentityProvider, cast: Cast
) -> None:
    account = receive(provider, AN)
    User.objects.filter(pk=account.pk).update(is_active=False)
    with pytest.raises(SignInRefused):
        receive(provider, AN)
    newcomer = Arrival(subject="2", login_name="bo", groups=("staff",))
    switch_provider(provider, is_on=False, by=cast.admin)
    with pytest.raises(SignInRefused):
        receive(provider, newcomer)
    switch_provider(provider, is_on=True, by=cast.admin)
    Tenant.objects.filter(pk=provider.tenant_id).update(is_active=False)
    with pytest.raises(SignInRefused):
        receive(provider, newcomer)
    assert not User.objects.filter(login_name="bo").exists()


def test_a_linked_account_keeps_the_role_that_it_was_given(provider: IdentityProvider, cast: Cast) -> None:
    link_identity(cast.member, provider=provider, subject="9", by=cast.admin)
    arrived = receive(provider, Arrival(subject="9", login_name="mei.there", groups=("admins",)))
    assert (arrived, arrived.role, arrived.display_name) == (cast.member, "member", "Mei")
    with pytest.raises(NotInAnyGroup):
        receive(provider, Arrival(subject="9", login_name="mei.there"))


def test_everybody_links_their_own_account(provider: IdentityProvider, cast: Cast) -> None:
    for number, account in enumerate((cast.member, cast.admin, cast.officer, cast.auditor)):
        identity = link_identity(account, provider=provider, subject=str(number), by=account)
        assert identities_of(account) == [identity]


@pytest.mark.parametrize("name", ["officer", "auditor"])
def test_an_administrator_cannot_link_a_guardians_account(
    name: str, provider: IdentityProvider, cast: Cast
) -> None:
    """Else an administrator's own identity would open the auditor's account."""
    with pytest.raises(LinkRefused):
        link_identity(cast.everybody()[name], provider=provider, subject="9", by=cast.admin)
    assert AuditEvent.objects.filter(action="identity.link", status=403).count() == 1


@pytest.mark.parametrize("name", ["colleague", "officer", "auditor", "operator", "outsider"])
def test_nobody_else_links_anothers_account(name: str, provider: IdentityProvider, cast: Cast) -> None:
    with pytest.raises(PermissionMissing):
        link_identity(cast.member, provider=provider, subject="9", by=cast.everybody()[name])


def test_an_account_of_another_organisation_cannot_be_linked(provider: IdentityProvider, cast: Cast) -> None:
    for account in (cast.outsider, cast.operator):
        for by in (cast.admin, account):
            with pytest.raises(PermissionMissing):
                link_identity(account, provider=provider, subject="9", by=by)


def test_an_identity_has_one_account_and_an_account_one_identity_at_a_provider(
    provider: IdentityProvider, cast: Cast
) -> None:
    link_identity(cast.member, provider=provider, subject="9", by=cast.admin)
    for account, subject in ((cast.colleague, "9"), (cast.member, "10")):
        with pytest.raises(IdentityTaken):
            link_identity(account, provider=provider, subject=subject, by=cast.admin)


def test_unlinking_signs_out_and_the_identity_opens_the_account_no_more(
    provider: IdentityProvider, cast: Cast, client: Client
) -> None:
    identity = link_identity(cast.member, provider=provider, subject="9", by=cast.admin)
    client.force_login(cast.member, backend="accounts.backends.PortalBackend")
    unlink_identity(identity, by=cast.member)
    assert client.get("/privacy/").status_code == 302
    with pytest.raises(IdentityCollision):
        receive(provider, Arrival(subject="9", login_name="mei", groups=("staff",)))


def test_nobody_cuts_their_own_last_way_in(provider: IdentityProvider, cast: Cast) -> None:
    account = receive(provider, AN)
    with pytest.raises(LinkRefused):
        unlink_identity(identities_of(account)[0], by=account)
    unlink_identity(identities_of(account)[0], by=cast.admin)
