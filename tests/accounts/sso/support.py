"""Walk through a provider's pages as a browser does, and come back with what it says."""

from __future__ import annotations

import html
import re
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import requests
from django.test import Client

from accounts.models import User
from accounts.provider_models import IdentityProvider
from accounts.providers import ProviderDraft, add_provider, switch_provider
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.accounts.provider_support import GROUPS
from tests.accounts.support import who
from tests.providers.server import Providers

SECRET = "between the portal and the provider"
ORIGIN = "http://127.0.0.1:8000"


def open_oidc(
    tenant: Tenant, providers: Providers, *, by: User, code: str = "sso", issuer: str = "", **settings: Any
) -> IdentityProvider:
    """Add an OpenID provider and switch it on."""
    fields = {"issuer": issuer or providers.issuer, "client_id": f"portal-{tenant.code}"} | settings
    return _open(tenant, by=by, code=code, kind="oidc", fields=fields, secrets={"client_secret": SECRET})


def open_cas(
    tenant: Tenant, providers: Providers, *, by: User, code: str = "cas", **settings: Any
) -> IdentityProvider:
    """Add a CAS server and switch it on."""
    fields = {"server_url": providers.cas} | settings
    return _open(tenant, by=by, code=code, kind="cas", fields=fields, secrets={})


def _open(
    tenant: Tenant, *, by: User, code: str, kind: str, fields: dict[str, Any], secrets: dict[str, str]
) -> IdentityProvider:
    draft = ProviderDraft(name=code.title(), settings=fields, secrets=secrets, role_mapping=GROUPS)
    row = add_provider(tenant, code=code, kind=kind, draft=draft, by=by)
    switch_provider(row, is_on=True, by=by)
    with tenant_scope(tenant.id):
        found: IdentityProvider = IdentityProvider.objects.select_related("tenant").get(pk=row.pk)
        return found


class Surfer:
    """A browser with the portal in one window (Django's client) and the providers in another (requests)."""

    def __init__(self, providers: Providers) -> None:
        self.portal = Client(headers={"accept-language": "en"})
        self.elsewhere = requests.Session()
        self.providers = providers

    def leave_for(self, path: str = "/o/north/in/sso/", **query: str) -> str:
        """Press the button; return the provider's address that the portal sends to."""
        response = self.portal.get(path, query)
        assert response.status_code == 302, response.text
        return response["Location"]

    def go_there(self, address: str, login: str) -> str:
        """Open the provider's address, sign in if it asks; return the address that it sends back to."""
        page = self.elsewhere.get(address, allow_redirects=False)
        for _ in range(10):
            to = page.headers.get("Location", "")
            if to.startswith(ORIGIN):
                return to
            page = self._follow(page, to) if to else self._fill(page, login)
        raise AssertionError(page.text)

    def _follow(self, page: requests.Response, to: str) -> requests.Response:
        return self.elsewhere.get(urljoin(page.url, to), allow_redirects=False)

    def _fill(self, page: requests.Response, login: str) -> requests.Response:
        fields = {}
        for tag in re.findall(r"<input[^>]*>", page.text):
            name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
            if name:
                fields[name[1]] = html.unescape(value[1]) if value else ""
        fields |= {"login": login, "username": login, "password": login}
        fields.pop("warn", None)
        fields.pop("remember", None)
        return self.elsewhere.post(page.url, data=fields, allow_redirects=False)

    def come_back(self, address: str) -> Any:
        """Open the address that the provider sent back to, at the portal."""
        assert address.startswith(ORIGIN), address
        return self.portal.get(address.removeprefix(ORIGIN))

    def sign_in(self, login: str, path: str = "/o/north/in/sso/", **query: str) -> Any:
        """Go all the way."""
        return self.come_back(self.go_there(self.leave_for(path, **query), login))

    @property
    def account(self) -> str | None:
        """Return the id of the account that is signed in."""
        return who(self.portal)


def query_of(address: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
