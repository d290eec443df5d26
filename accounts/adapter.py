"""Tell allauth how this portal signs people in."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest
from django.shortcuts import resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _

from accounts.backends import may_sign_in
from accounts.errors import DirectoryDown
from accounts.hashing import one_attempt
from accounts.models import User
from accounts.roles import LANDING_PAGES


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """No sign-up; one answer for every failed sign-in; each role lands on its own page."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "username_password_mismatch": _("Organisation, user name or password is not right."),
        "account_inactive": _("Organisation, user name or password is not right."),
    }

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        """Return the account, or None.

        allauth hands out disabled accounts whose password was right, for a page that says so; here that page would
        tell who has an account. Raises NotInAnyGroup, IdentityCollision and IdentityUnusable for people whom the
        organisation's directory vouches for and who cannot come in all the same, and DirectoryDown where it could
        not be asked; this is the same for whoever is named.
        """
        with one_attempt(str(credentials.get("username", ""))):
            user: User | None = super().authenticate(request, **credentials)
        if user is None and getattr(request, "directory_is_down", False):
            raise DirectoryDown
        return user if user is not None and may_sign_in(user) else None

    def get_login_stages(self) -> list[str]:
        """Return the steps of signing in after the first: the second factor, and nothing of mails and telephones."""
        return ["accounts.stages.SecondFactorStage"]

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Accounts are given by the organisation."""
        return False

    def is_safe_url(self, url: str | None) -> bool:
        """Return whether people may be sent there after signing in: a path of this portal, and no other host at all."""
        return (
            bool(url)
            and str(url).startswith("/")
            and url_has_allowed_host_and_scheme(url, allowed_hosts=None)
        )

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        """Return the landing page of the account's role."""
        return resolve_url(LANDING_PAGES[getattr(request.user, "role", "")])
