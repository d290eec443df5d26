"""Decide who may sign in, and whose session still counts."""

from __future__ import annotations

from typing import Any

from allauth.account.auth_backends import AuthenticationBackend

from accounts.models import User


class PortalBackend(AuthenticationBackend):  # type: ignore[misc]
    """allauth's back end, for which the people of a disabled organisation are as disabled accounts are."""

    def user_can_authenticate(self, user: Any) -> bool:
        """Return whether account and organisation are active; asked at sign-in and on every request."""
        return may_sign_in(user)


def may_sign_in(user: User) -> bool:
    """Return whether the account is active, and its organisation too if it has one."""
    return user.is_active and (user.tenant is None or user.tenant.is_active)
