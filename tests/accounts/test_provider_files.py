"""Providers of the installation's settings are taken over whole, and one line says what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from accounts.provider_files import read_providers, sync_providers
from accounts.provider_models import IdentityProvider, Origin
from accounts.providers import add_provider, list_providers
from audit.models import AuditEvent
from tests.accounts.provider_support import draft, organisation_of
from tests.conftest import Cast

TEXT = """
[[provider]]
organisation = "north"
code = "corp"
kind = "ldap"
name = "Corp"
{more}
[provider.settings]
servers = ["ldaps://10.0.0.5:1636"]
security = "ldaps"
user_base = "ou=people,dc=corp"
group_base = "ou=groups,dc=corp"
[provider.secrets]
{secret}
[provider.groups]
"cn=staff,ou=groups,dc=corp" = "member"
"""
SECRET = 'bind_password = "heron-reads"'


def text(*, more: str = "", secret: str = SECRET) -> str:
    return TEXT.format(more=more, secret=secret)


def only(cast: Cast) -> IdentityProvider:
    (row,) = list_providers(organisation_of(cast.member))
    return row


def acts() -> list[str]:
    rows = AuditEvent.objects.filter(action__startswith="identity.").order_by("seq")
    return list(rows.values_list("action", flat=True))


def test_what_the_settings_say_is_taken_over_once(cast: Cast) -> None:
    assert sync_providers(text()).changed == ["north/corp"]
    row = only(cast)
    assert (row.origin, row.is_enabled, row.secret("bind_password")) == (Origin.SETTINGS, True, "heron-reads")
    assert row.role_mapping == [{"group": "cn=staff,ou=groups,dc=corp", "role": "member"}]
    assert sync_providers(text()).changed == []
    assert acts() == ["identity.add"]


def test_a_change_is_taken_over_and_what_is_gone_is_switched_off(cast: Cast) -> None:
    sync_providers(text())
    first = only(cast)
    assert sync_providers(text(more="position = 3", secret="")).changed == ["north/corp"]
    changed = only(cast)
    assert (changed.pk, changed.position, changed.secret("bind_password")) == (first.pk, 3, "")
    assert sync_providers("").switched_off == ["north/corp"]
    assert not only(cast).is_enabled
    assert sync_providers("").switched_off == []
    assert acts() == ["identity.add", "identity.change", "identity.disable"]


def test_secrets_come_from_files_and_variables_too(
    cast: Cast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "word").write_text("from-a-file\n", encoding="utf-8")
    sync_providers(text(secret=f'bind_password_file = "{tmp_path / "word"}"'))
    assert only(cast).secret("bind_password") == "from-a-file"
    monkeypatch.setenv("CORP_WORD", "from-a-variable")
    sync_providers(text(secret='bind_password_env = "CORP_WORD"'))
    assert only(cast).secret("bind_password") == "from-a-variable"


def test_an_organisation_that_is_not_there_yet_stops_nothing(cast: Cast) -> None:
    result = sync_providers(text().replace('"north"', '"west"') + text())
    assert (result.homeless, result.changed) == (["west/corp"], ["north/corp"])


def test_what_is_kept_in_the_console_is_not_taken_over(cast: Cast) -> None:
    add_provider(organisation_of(cast.member), code="corp", kind="ldap", draft=draft(), by=cast.admin)
    with pytest.raises(ImproperlyConfigured, match="north/corp is kept in the console"):
        sync_providers(text())
    assert sync_providers("").switched_off == []
    assert only(cast).origin == Origin.CONSOLE


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("[[provider", "is no TOML"),
        ("provider = 3", "must hold"),
        (text() + text(), "twice"),
        (text(more="surprise = 1"), "no setting surprise"),
        (text(more='position = "x"'), "wrong type"),
        (text(more="enabled = 1"), "wrong type"),
        (text(secret='bind_password_file = "/nowhere/at/all"'), "cannot be read"),
        (text(secret='another = "heron-reads"'), "not right at secrets"),
        (text().replace('"member"', '"operator"'), "not right at role_mapping"),
        (text().replace('"ldap"', '"saml"'), "not right at"),
        (text().replace("ldaps://10.0.0.5:1636", "http://x"), "not right at servers"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_without_a_secret(broken: str, said: str, cast: Cast) -> None:
    with pytest.raises(ImproperlyConfigured, match=said) as caught:
        sync_providers(broken)
    assert "heron-reads" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list_providers(organisation_of(cast.member)) == []


def test_an_empty_text_names_no_provider() -> None:
    assert read_providers("") == []
