"""Ways of signing in are kept by who may, secrets stay sealed, and every act is recorded."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client

from accounts.arriving import Arrival, receive
from accounts.errors import ProviderReadOnly
from accounts.provider_models import IdentityProvider, Origin
from accounts.providers import (
    MAX_PROVIDERS,
    ProviderDraft,
    add_provider,
    change_provider,
    delete_provider,
    enabled_providers,
    find_provider,
    list_providers,
    switch_provider,
)
from audit.models import AuditEvent
from common.access import PermissionMissing
from common.errors import NotFound
from crypto.errors import SealBroken
from tenants.models import Tenant
from tenants.scope import TenantScopeMissing, tenant_scope
from tests.accounts.provider_support import LDAP_SETTINGS, draft, open_provider, organisation_of
from tests.conftest import Cast


def stored(provider: IdentityProvider) -> IdentityProvider:
    with tenant_scope(provider.tenant_id):
        row: IdentityProvider = IdentityProvider.objects.get(pk=provider.pk)
        return row


def events(tenant: Tenant) -> list[tuple[str, str, int]]:
    rows = AuditEvent.objects.filter(tenant_id=tenant.id, action__startswith="identity.").order_by("seq")
    return list(rows.values_list("action", "object_id", "status"))


@pytest.mark.parametrize("name", ["admin", "operator"])
def test_an_admin_or_operator_keeps_the_organisations_providers(name: str, cast: Cast) -> None:
    north, by = organisation_of(cast.member), cast.everybody()[name]
    provider = add_provider(north, code=" Main ", kind="ldap", draft=draft(), by=by)
    assert (provider.code, provider.is_enabled, provider.secret("bind_password")) == (
        "main",
        False,
        "heron-reads",
    )
    assert enabled_providers(north, "ldap") == []
    switch_provider(provider, is_on=True, by=by)
    assert enabled_providers(north, "ldap", "cas") == [provider]
    assert enabled_providers(north, "oidc") == []
    change_provider(provider, draft=draft(name="Renamed", secrets={}), by=by)
    assert (stored(provider).name, stored(provider).secret("bind_password")) == ("Renamed", "heron-reads")
    change_provider(provider, draft=draft(secrets={"bind_password": ""}), by=by)
    assert stored(provider).secret("bind_password") == ""
    switch_provider(provider, is_on=False, by=by)
    delete_provider(provider, by=by)
    assert list_providers(north) == []
    acts = ["add", "enable", "change", "change", "disable", "delete"]
    assert events(north) == [(f"identity.{act}", str(provider.id), 200) for act in acts]


@pytest.mark.parametrize(
    "name", ["member", "officer", "auditor", "outsider", "outside_auditor", "outside_admin"]
)
def test_for_anybody_else_they_do_not_exist(name: str, cast: Cast) -> None:
    north = organisation_of(cast.member)
    provider = add_provider(north, code="main", kind="ldap", draft=draft(), by=cast.admin)
    by = cast.everybody().get(name) or cast.outsider
    if name == "outside_admin":
        type(by).objects.filter(pk=by.pk).update(role="admin")
        by.refresh_from_db()
    acts: list[Callable[[], Any]] = [
        lambda: add_provider(north, code="other", kind="ldap", draft=draft(), by=by),
        lambda: change_provider(provider, draft=draft(name="x"), by=by),
        lambda: switch_provider(provider, is_on=True, by=by),
        lambda: delete_provider(provider, by=by),
        lambda: find_provider(north, provider.id, by=by),
    ]
    for act in acts:
        with pytest.raises(PermissionMissing):
            act()
    assert [(row.name, row.is_enabled) for row in list_providers(north)] == [("Directory", False)]
    refusals = AuditEvent.objects.filter(
        tenant_id=organisation_of(by).id, action__startswith="identity.", status=404
    )
    if by.tenant_id != north.id:
        assert set(refusals.values_list("object_id", flat=True)) == {""}


def test_a_provider_of_another_organisation_is_not_found_under_ones_own(cast: Cast) -> None:
    north, south = organisation_of(cast.member), organisation_of(cast.outsider)
    theirs = add_provider(south, code="main", kind="ldap", draft=draft(), by=cast.operator)
    for tenant, wanted in ((north, theirs.id), (north, uuid.uuid4())):
        with pytest.raises(NotFound):
            find_provider(tenant, wanted, by=cast.admin)
    assert find_provider(south, theirs.id, by=cast.operator) == theirs


def test_providers_are_out_of_reach_outside_their_organisations_scope(cast: Cast) -> None:
    provider = add_provider(
        organisation_of(cast.member), code="main", kind="ldap", draft=draft(), by=cast.admin
    )
    with pytest.raises(TenantScopeMissing):
        IdentityProvider.objects.get(pk=provider.pk)
    with tenant_scope(organisation_of(cast.outsider).id):
        assert not IdentityProvider.objects.filter(pk=provider.pk).exists()


def test_secrets_are_sealed_in_the_database_and_bound_to_their_provider(cast: Cast) -> None:
    north = organisation_of(cast.member)
    one = add_provider(north, code="one", kind="ldap", draft=draft(), by=cast.admin)
    two = add_provider(north, code="two", kind="ldap", draft=draft(secrets={}), by=cast.admin)
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM accounts_identityprovider")
        assert "heron-reads" not in str(cursor.fetchall())
        cursor.execute(
            "UPDATE accounts_identityprovider SET sealed_secrets ="
            " (SELECT sealed_secrets FROM accounts_identityprovider WHERE code = 'one') WHERE code = 'two'"
        )
    assert stored(one).secret("bind_password") == "heron-reads"
    with pytest.raises(SealBroken):
        stored(two).secret("bind_password")


FAULTS: dict[str, dict[str, Any]] = {
    "settings": {"settings": LDAP_SETTINGS | {"surprise": 1}},
    "servers": {"settings": LDAP_SETTINGS | {"servers": []}},
    "security": {"settings": LDAP_SETTINGS | {"servers": ["ldap://10.0.0.5"]}},
    "user_base": {"settings": LDAP_SETTINGS | {"user_base": ""}},
    "user_dn": {"settings": LDAP_SETTINGS | {"bind": "direct"}},
    "user_filter": {"settings": LDAP_SETTINGS | {"user_filter": "(uid=mei)"}},
    "active_filter": {"settings": LDAP_SETTINGS | {"active_filter": "(a=b))(c=d"}},
    "id_attribute": {"settings": LDAP_SETTINGS | {"id_attribute": "a)(b"}},
    "ca_certificates": {"settings": LDAP_SETTINGS | {"ca_certificates": "no"}},
    "connect_s": {"settings": LDAP_SETTINGS | {"connect_s": 60}},
    "role_mapping": {"role_mapping": [{"group": "root", "role": "operator"}]},
    "default_role": {"default_role": "admin"},
    "name": {"name": " "},
}


@pytest.mark.parametrize("field", FAULTS)
def test_what_cannot_work_or_would_be_unsafe_is_refused_by_its_field(field: str, cast: Cast) -> None:
    north = organisation_of(cast.member)
    with pytest.raises(ValidationError) as caught:
        add_provider(north, code="main", kind="ldap", draft=draft(**FAULTS[field]), by=cast.admin)
    assert set(caught.value.message_dict) == {field}
    assert list_providers(north) == []
    assert events(north) == []


@pytest.mark.parametrize(
    "server",
    [
        "directory.example.org",
        "http://directory.example.org",
        "ldap://user:word@directory.example.org",
        "ldap://directory.example.org/dc=x",
        "ldap://directory.example.org?x",
        "ldap://directory.example.org:0",
        "ldap://directory.example.org:99999",
        "ldap://a b",
        "ldap://",
        "ldapi:///run/slapd",
        "ldaps://directory.example.org",
    ],
)
def test_an_odd_server_is_refused(server: str, cast: Cast) -> None:
    settings = LDAP_SETTINGS | {"servers": [server], "security": "starttls"}
    with pytest.raises(ValidationError) as caught:
        add_provider(
            organisation_of(cast.member),
            code="main",
            kind="ldap",
            draft=draft(settings=settings),
            by=cast.admin,
        )
    assert set(caught.value.message_dict) == {"servers"}


@pytest.mark.parametrize(
    ("code", "kind"), [("", "ldap"), ("A b", "ldap"), ("a/b", "ldap"), ("main", ""), ("main", "saml")]
)
def test_an_odd_code_or_kind_is_refused(code: str, kind: str, cast: Cast) -> None:
    with pytest.raises(ValidationError):
        add_provider(organisation_of(cast.member), code=code, kind=kind, draft=draft(), by=cast.admin)


def test_a_code_is_an_organisations_only_once_and_there_are_not_too_many(cast: Cast) -> None:
    north, south = organisation_of(cast.member), organisation_of(cast.outsider)
    for number in range(MAX_PROVIDERS):
        add_provider(north, code=f"c{number}", kind="ldap", draft=draft(), by=cast.admin)
    add_provider(south, code="c0", kind="ldap", draft=draft(), by=cast.operator)
    with pytest.raises(ValidationError):
        add_provider(south, code="c0", kind="ldap", draft=draft(), by=cast.operator)
    with pytest.raises(ValidationError):
        add_provider(north, code="one-more", kind="ldap", draft=draft(), by=cast.admin)


def test_an_unknown_secret_is_refused(cast: Cast) -> None:
    with pytest.raises(ValidationError):
        add_provider(
            organisation_of(cast.member),
            code="main",
            kind="ldap",
            draft=draft(secrets={"client_secret": "x"}),
            by=cast.admin,
        )


def test_what_the_installations_settings_say_is_not_changed_in_the_console(cast: Cast) -> None:
    provider = open_provider(organisation_of(cast.member), by=cast.admin)
    with tenant_scope(provider.tenant_id):
        IdentityProvider.objects.update(origin=Origin.SETTINGS)
    acts: list[Callable[[], Any]] = [
        lambda: change_provider(provider, draft=draft(name="x"), by=cast.operator),
        lambda: switch_provider(provider, is_on=False, by=cast.operator),
        lambda: delete_provider(provider, by=cast.operator),
    ]
    for act in acts:
        with pytest.raises(ProviderReadOnly):
            act()
    assert [(row.name, row.is_enabled) for row in list_providers(provider.tenant)] == [("Directory", True)]


@pytest.mark.parametrize(
    "act",
    [lambda row, by: switch_provider(row, is_on=False, by=by), lambda row, by: delete_provider(row, by=by)],
)
def test_whoever_came_by_a_way_that_is_closed_is_signed_out(
    act: Callable[..., None], cast: Cast, client: Client
) -> None:
    provider = open_provider(organisation_of(cast.member), by=cast.admin)
    account = receive(provider, Arrival(subject="1", login_name="an", groups=("staff",)))
    client.force_login(account, backend="accounts.backends.PortalBackend")
    other = Client()
    other.force_login(cast.member, backend="accounts.backends.PortalBackend")
    assert client.get("/privacy/").status_code == 200
    act(provider, cast.admin)
    assert client.get("/privacy/").status_code == 302
    assert other.get("/privacy/").status_code == 200


def test_a_draft_keeps_secrets_out_of_its_own_text() -> None:
    assert "heron-reads" not in repr(
        ProviderDraft(name="x", settings={}, secrets={"bind_password": "heron-reads"})
    )
