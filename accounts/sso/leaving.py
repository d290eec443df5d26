"""Believe a provider that somebody has left there, and say where people leave it."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse

from accounts.provider_models import IdentityProvider, ProviderKind
from accounts.sso import cas_protocol
from accounts.sso.cas_settings import CasSettings
from accounts.sso.discovery import ProviderFault, keys_of, metadata_of, newer_keys_of
from accounts.sso.logout import end_by_mark, end_by_subject, spend
from accounts.sso.oidc_settings import OidcSettings
from accounts.sso.tokens import Expected, KeyUnknown, Logout, TokenRefused, read_logout_token
from accounts.sso.ways import portal_origin
from tenants.scope import tenant_scope


def end_by_logout_request(provider: IdentityProvider, text: str) -> None:
    """End the sessions that began with the tickets of a CAS logout request. Raises CasRefused.

    Nothing signs the request. Who knows the ticket may end its session, and that is the server, the person and this
    portal; a ticket is 20 random characters or more.
    """
    tickets = cas_protocol.read_logout_request(text)
    with tenant_scope(provider.tenant_id):
        end_by_mark(provider, *tickets)


def end_by_logout_token(provider: IdentityProvider, token: str) -> None:
    """End what a logout token names, once. Raises TokenRefused, and ProviderFault where no keys can be had."""
    settings = OidcSettings.of(provider.settings)
    logout = _read(settings, token)
    with tenant_scope(provider.tenant_id):
        if not spend(provider, f"jti {logout.jti}"):
            raise TokenRefused("replay")
        if logout.session:
            end_by_mark(provider, logout.session)
        else:
            end_by_subject(provider, logout.subject)


def end_by_frame(provider: IdentityProvider, *, issuer: str, session: str) -> bool:
    """End the session that a front-channel request names; return whether the provider may do so this way."""
    if provider.kind != ProviderKind.OIDC:
        return False
    settings = OidcSettings.of(provider.settings)
    if not settings.front_channel_logout or issuer != settings.issuer or not session:
        return False
    with tenant_scope(provider.tenant_id):
        end_by_mark(provider, session)
    return True


def leaving_url(request: HttpRequest, provider: IdentityProvider) -> str:
    """Return where the person ends the session at the provider, or "" where it has no such place.

    The ID token is not kept, so the provider asks the person whether they mean it.
    """
    if provider.kind == ProviderKind.CAS:
        return cas_protocol.logout_url(CasSettings.of(provider.settings))
    settings = OidcSettings.of(provider.settings)
    try:
        url = metadata_of(settings).end_session_endpoint
    except ProviderFault:
        return ""
    back = portal_origin(request) + reverse("account_login")
    query = urlencode({"client_id": settings.client_id, "post_logout_redirect_uri": back})
    return f"{url}{'&' if '?' in url else '?'}{query}" if url else ""


def _read(settings: OidcSettings, token: str) -> Logout:
    metadata = metadata_of(settings)
    try:
        return read_logout_token(
            token, Expected(metadata.issuer, settings.client_id, keys_of(settings, metadata))
        )
    except KeyUnknown:
        keys = newer_keys_of(settings, metadata)
        return read_logout_token(token, Expected(metadata.issuer, settings.client_id, keys))
