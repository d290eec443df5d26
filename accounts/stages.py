"""Ask for the second factor while somebody signs in, unless their own organisation has to do so."""

from __future__ import annotations

from allauth.account.internal.flows.login import get_authentication_records
from allauth.mfa.stages import AuthenticateStage
from django.http import HttpRequest

from accounts.models import User
from accounts.rules import rules_for


class SecondFactorStage(AuthenticateStage):  # type: ignore[misc]
    """allauth's stage, which an organisation may leave to its identity provider."""

    def _should_handle(self, request: HttpRequest) -> bool:
        account = self.login.user
        if not isinstance(account, User) or not account.has_second_factor:
            return False
        return not came_by_provider(request, account) or rules_for(account).second_factor_after_sso


def came_by_provider(request: HttpRequest, account: User) -> bool:
    """Return whether the last thing that the person did to sign in was at an identity provider."""
    methods = [record.get("method") for record in get_authentication_records(request, account)]
    first_steps = [method for method in methods if method in ("password", "socialaccount")]
    return bool(first_steps) and first_steps[-1] == "socialaccount"
