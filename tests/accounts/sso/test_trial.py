"""Whoever sets a provider up sees which step fails."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.provider_models import IdentityProvider
from accounts.sso.trial import try_out
from audit.models import AuditEvent
from common.access import PermissionMissing
from tests.accounts.provider_support import organisation_of
from tests.accounts.sso.support import open_cas, open_oidc
from tests.accounts.support import sign_in
from tests.conftest import Cast
from tests.providers.server import Providers


def steps(provider: IdentityProvider, cast: Cast) -> list[tuple[str, str, str]]:
    return [(step.name, step.state, step.detail) for step in try_out(provider, by=cast.admin)]


def test_a_good_provider_passes_each_step_and_the_trial_is_recorded(
    oidc: IdentityProvider, cas: IdentityProvider, cast: Cast, providers: Providers
) -> None:
    assert steps(oidc, cast) == [("discovery", "ok", providers.issuer), ("keys", "ok", "1")]
    assert steps(cas, cast) == [("reach", "ok", providers.cas), ("answer", "ok", "CAS 3.0")]
    assert AuditEvent.objects.filter(action="identity.test", outcome="ok").count() == 2


@pytest.mark.parametrize(
    ("metadata", "fault"),
    [
        ({"issuer": "https://elsewhere.example.org"}, "issuer"),
        ({"jwks_uri": "http://10.0.0.1/keys"}, "address"),
        ({"jwks_uri": None}, "address"),
    ],
)
def test_metadata_that_are_not_in_order_are_named(
    metadata: dict[str, Any], fault: str, oidc: IdentityProvider, cast: Cast, providers: Providers
) -> None:
    providers.arrange(twist={"metadata": metadata})
    assert steps(oidc, cast) == [("discovery", "failed", fault), ("keys", "skipped", "")]


def test_a_page_that_is_no_provider_fails_where_it_shows(cast: Cast, providers: Providers) -> None:
    tenant = organisation_of(cast.admin)
    wrong = open_oidc(tenant, providers, by=cast.admin, issuer=f"{providers.issuer}/frames")
    assert steps(wrong, cast)[0][1] == "failed"
    wrong = open_cas(tenant, providers, by=cast.admin, server_url=f"{providers.issuer}/")
    assert [state for _, state, _ in steps(wrong, cast)] == ["ok", "failed"]


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:1", "https://169.254.169.254", "https://no.such.invalid"]
)
def test_closed_forbidden_and_unknown_read_the_same(address: str, cast: Cast, providers: Providers) -> None:
    """Else an administrator could look around in the portal's network."""
    tenant = organisation_of(cast.admin)
    row = open_oidc(tenant, providers, by=cast.admin, issuer=address)
    assert steps(row, cast)[0] == ("discovery", "failed", "unreachable")
    row = open_cas(tenant, providers, by=cast.admin, server_url=address)
    assert steps(row, cast)[0] == ("reach", "failed", "unreachable")


def test_nobody_else_tries_a_provider(oidc: IdentityProvider, cast: Cast) -> None:
    for person in (cast.member, cast.officer, cast.auditor, cast.outsider):
        with pytest.raises(PermissionMissing):
            try_out(oidc, by=person)


def test_the_console_shows_each_step(
    oidc: IdentityProvider, cas: IdentityProvider, cast: Cast, providers: Providers, client: Client
) -> None:
    sign_in(client, "wei")
    for row, found in ((oidc, providers.issuer), (cas, "CAS 3.0")):
        page = client.post(f"/console/identity/north/{row.pk}/test/")
        assert page.status_code == 200
        assert f"<td>{found}</td>" in page.text
