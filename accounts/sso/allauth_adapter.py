"""Tell allauth's part for other people's accounts to keep none: identities are ours, and so is every decision."""

from __future__ import annotations

from typing import Any

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.http import HttpRequest

from accounts.sso.completing import complete, refuse
from accounts.sso.outgoing import ProviderSession


class SocialAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """Takes what allauth has verified and goes on from there; nobody signs up, no mail address means anything."""

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        """Sign the person in by the identity that they proved; allauth's own search for an account has no turn."""
        way = sociallogin.provider
        raise ImmediateHttpResponse(complete(request, way.row, way.proof, state=sociallogin.state))

    def on_authentication_error(self, request: HttpRequest, provider: Any, *_: Any, **__: Any) -> None:
        """Answer every failure with one page."""
        raise ImmediateHttpResponse(refuse(request, provider.row))

    def list_apps(self, request: HttpRequest, provider: Any = None, client_id: Any = None) -> list[Any]:
        """Return none: providers belong to organisations (accounts.providers)."""
        return []

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        """Accounts are given by the organisation."""
        return False

    def get_requests_session(self) -> ProviderSession:
        """Return a bounded session, whatever calls."""
        return ProviderSession()
