"""Decide who may sign in, and whose session still counts."""

from __future__ import annotations

from typing import Any

from allauth.account.auth_backends import AuthenticationBackend
from django.http import HttpRequest

from accounts.hashing import one_comparison
from accounts.models import User
from common import clock


class PortalBackend(AuthenticationBackend):  # type: ignore[misc]
    """allauth's back end, for which the people of a disabled organisation are as disabled accounts are."""

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> User | None:
        """Return the account whose password this is, or None, at the same price whoever is named."""
        with one_comparison():
            user: User | None = super().authenticate(request, **credentials)
        return user

    def user_can_authenticate(self, user: Any) -> bool:
        """Return whether account and organisation are active; asked at sign-in and on every request."""
        return may_sign_in(user)


def may_sign_in(user: User) -> bool:
    """Return whether the account is active, its organisation too if it has one, and its password not outdated."""
    if user.temporary_until is not None and user.temporary_until <= clock.now():
        return False
    return user.is_active and (user.tenant is None or user.tenant.is_active)
