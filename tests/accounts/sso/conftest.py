"""Two organisations, each with its own OpenID provider and CAS server, and the people that those know."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.cache import cache

from accounts.provider_models import IdentityProvider
from accounts.sso import rates
from tests.accounts.provider_support import organisation_of
from tests.accounts.sso.support import SECRET, Surfer, open_cas, open_oidc
from tests.conftest import Cast
from tests.providers.server import Providers, running_providers

PEOPLE = {
    "lan": {"name": "Lan He", "groups": ["staff"]},
    "bo": {"name": "Bo Xu", "groups": ["staff", "admins"]},
    "mei": {"name": "Mei of elsewhere", "groups": ["staff"]},
    "guest": {"name": "Some Guest", "groups": ["visitors"]},
}
CALLBACKS = [
    f"http://127.0.0.1:8000/o/{code}/in/{way}/callback/"
    for code in ("north", "south")
    for way in ("sso", "other")
]


@pytest.fixture(scope="session")
def site() -> Iterator[Providers]:
    with running_providers() as providers:
        yield providers


@pytest.fixture
def providers(site: Providers) -> Providers:
    """Return the running providers, with the usual people and nothing twisted."""
    clients = [
        {"id": name, "secret": SECRET, "redirect_uris": CALLBACKS}
        for name in ("portal-north", "portal-south")
    ]
    site.arrange(people=PEOPLE, clients=clients, twist={})
    cache.clear()
    rates._limiter.storage.reset()
    return site


@pytest.fixture
def oidc(cast: Cast, providers: Providers) -> IdentityProvider:
    return open_oidc(organisation_of(cast.admin), providers, by=cast.admin)


@pytest.fixture
def cas(cast: Cast, providers: Providers) -> IdentityProvider:
    return open_cas(organisation_of(cast.admin), providers, by=cast.admin)


@pytest.fixture
def surfer(providers: Providers) -> Surfer:
    return Surfer(providers)
