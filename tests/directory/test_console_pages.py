"""Directories are set up, tried and switched in the console, without JavaScript; secrets are written, never shown."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.provider_models import IdentityProvider, Origin
from accounts.providers import list_providers
from tenants.scope import tenant_scope
from tests.accounts.provider_support import organisation_of
from tests.accounts.support import sign_in, who
from tests.conftest import Cast
from tests.directory.slapd import GROUPS, PEOPLE, READER, READER_PASSWORD, Slapd
from tests.directory.test_signing_in import add_directory, enter

LIST = "/console/identity/north/"


def signed_in(cast: Cast, name: str = "admin") -> Client:
    client = Client(headers={"accept-language": "en"})
    person = cast.everybody()[name]
    sign_in(client, person.login_name, organisation=person.tenant.code if person.tenant else "")
    return client


def fields(uri: str, **changes: str) -> dict[str, str]:
    """Return the form as a browser sends it."""
    plain = {
        "name": "Corporate directory",
        "code": "corp",
        "position": "1",
        "servers": f"{uri}\r\n",
        "security": "none",
        "ca_certificates": "",
        "connect_s": "2",
        "answer_s": "2",
        "bind": "search",
        "bind_dn": READER,
        "bind_password": READER_PASSWORD,
        "user_dn": "",
        "user_base": PEOPLE,
        "user_filter": "(uid=%(user)s)",
        "active_filter": "",
        "login_attribute": "uid",
        "name_attribute": "cn",
        "id_attribute": "entryUUID",
        "groups": "names",
        "group_base": GROUPS,
        "group_filter": "(objectClass=groupOfNames)",
        "nested": "on",
        "role_mapping": f"cn=staff,{GROUPS} = member\r\nadmins = admin\r\n",
        "default_role": "",
    }
    return plain | changes


def only(cast: Cast) -> IdentityProvider:
    (row,) = list_providers(organisation_of(cast.member))
    return row


@pytest.mark.parametrize("name", ["admin", "operator"])
def test_a_directory_is_added_tried_and_switched_on_and_lets_people_in(
    name: str, cast: Cast, slapd: Slapd
) -> None:
    client = signed_in(cast, name)
    added = client.post(f"{LIST}add/ldap/", fields(slapd.plain))
    page = added["Location"]
    assert page == f"{LIST}{only(cast).pk}/"
    assert only(cast).role_mapping == [
        {"group": f"cn=staff,{GROUPS}", "role": "member"},
        {"group": "admins", "role": "admin"},
    ]
    tried = client.post(f"{page}test/", {"person": "bo"}).text
    assert tried.count('data-tone="ok">Good') == 5
    assert "Role: Administrator" in tried
    assert f"cn=admins,{GROUPS}" in tried
    assert client.post(f"{page}switch/", {"on": "1"})["Location"] == page
    assert who(enter("an")[0]) is not None
    assert "Corporate directory" in client.get(LIST).text
    assert client.post(f"{page}delete/", {"confirm": "no"})["Location"] == page
    assert client.post(f"{page}delete/", {"confirm": "corp"})["Location"] == LIST
    assert who(enter("an")[0]) is None


def test_a_secret_is_kept_replaced_and_taken_away_and_stands_in_no_page(cast: Cast, slapd: Slapd) -> None:
    client = signed_in(cast)
    client.post(f"{LIST}add/ldap/", fields(slapd.plain))
    page = f"{LIST}{only(cast).pk}/"
    kept: list[str] = []
    for changes in (
        {"bind_password": ""},
        {"bind_password": "another"},
        {"bind_password": "", "bind_password.remove": "1"},
    ):
        for text in (
            client.get(page).text,
            client.post(page, fields(slapd.plain, **changes), follow=True).text,
        ):
            assert READER_PASSWORD not in text
            assert "another" not in text.replace("another host", "")
        kept.append(only(cast).secret("bind_password"))
    assert kept == [READER_PASSWORD, "another", ""]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"servers": "http://x"}, "A server is written like"),
        ({"security": "sideways"}, "Choose one of those"),
        ({"user_base": ""}, "This is needed."),
        ({"connect_s": "99"}, "A whole number of seconds"),
        ({"role_mapping": "staff = operator"}, "and no other"),
        ({"role_mapping": "staff"}, "group = role"),
        ({"position": "x"}, "A whole number from 0 to 999."),
        ({"name": ""}, "cannot be blank"),
        ({"code": "A b"}, "Enter a valid value"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_nothing_is_lost(
    changes: dict[str, str], said: str, cast: Cast
) -> None:
    answer = signed_in(cast).post(f"{LIST}add/ldap/", fields("ldap://127.0.0.1:389", **changes))
    assert answer.status_code == 400
    assert said in answer.text
    assert READER in answer.text
    assert READER_PASSWORD not in answer.text
    assert list_providers(organisation_of(cast.member)) == []


@pytest.mark.parametrize("kind", ["ldap", "cas", "oidc"])
def test_each_kind_has_its_form(kind: str, cast: Cast) -> None:
    page = signed_in(cast).get(f"{LIST}add/{kind}/")
    assert page.status_code == 200
    assert 'name="role_mapping"' in page.text


def test_what_the_settings_keep_is_only_shown(cast: Cast, slapd: Slapd) -> None:
    provider = add_directory(cast, slapd.plain)
    with tenant_scope(provider.tenant_id):
        IdentityProvider.objects.update(origin=Origin.SETTINGS)
    client, page = signed_in(cast), f"{LIST}{provider.pk}/"
    assert "kept in the installation" in client.get(page).text
    acts: dict[str, dict[str, Any]] = {
        "": fields(slapd.plain),
        "switch/": {"on": "0"},
        "delete/": {"confirm": "ldap"},
    }
    for act, sent in acts.items():
        assert client.post(page + act, sent)["Location"] == page
    assert (only(cast).name, only(cast).is_enabled) == ("Directory", True)
    assert client.post(f"{page}test/", {"person": ""}).status_code == 200


def test_who_signed_in_long_ago_confirms_it_first(cast: Cast, slapd: Slapd, settings: Settings) -> None:
    provider = add_directory(cast, slapd.plain)
    client, page = signed_in(cast), f"{LIST}{provider.pk}/"
    settings.PORTAL = dataclasses.replace(settings.PORTAL, recent_minutes=0)
    assert client.get(LIST).status_code == 200
    for act in ("switch/", "delete/", ""):
        assert client.post(page + act, {"on": "0", "confirm": "ldap"})["Location"].startswith(
            "/accounts/confirm/"
        )
    assert only(cast).is_enabled
