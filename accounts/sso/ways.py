"""Find an organisation's ways of signing in from what stands in an address, and say where they are.

An organisation that does not exist, is switched off, or has none looks the same: it offers nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from accounts.provider_models import IdentityProvider, ProviderKind
from accounts.providers import enabled_providers
from common.errors import NotFound
from tenants.models import Tenant

KINDS = (ProviderKind.CAS, ProviderKind.OIDC)


@dataclass(frozen=True, slots=True)
class Way:
    """A button of the sign-in page."""

    name: str
    kind: str
    url: str


def offered_ways(organisation: str) -> list[Way]:
    """Return the buttons that the sign-in page of an organisation shows."""
    tenant = Tenant.objects.filter(code=organisation.strip().casefold()).first()
    providers = enabled_providers(tenant, *KINDS) if tenant else []
    return [Way(name=each.name, kind=each.kind, url=address_of(each, "sso_start")) for each in providers]


def find_way(organisation: str, code: str) -> IdentityProvider:
    """Return a provider through which people may sign in now. Raises NotFound for any other."""
    tenant = Tenant.objects.filter(code=organisation).first()
    for provider in enabled_providers(tenant, *KINDS) if tenant else []:
        if provider.code == code:
            return provider
    raise NotFound


def address_of(provider: IdentityProvider, name: str) -> str:
    """Return the path of one of the provider's pages here."""
    return reverse(name, kwargs={"organisation": provider.tenant.code, "code": provider.code})


def portal_origin(request: HttpRequest) -> str:
    """Return the portal's own address that the person uses, one of those that the operator has set.

    Providers send people back to it: what the Host header says is taken only where it is the portal's.
    """
    origins: tuple[str, ...] = settings.PORTAL.origins
    asked = f"{request.scheme}://{request.get_host()}"
    return asked if asked in origins else origins[0]
