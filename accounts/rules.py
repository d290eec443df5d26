"""Say what is asked of an account at the door: the stricter of what installation and organisation want."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist

from accounts.models import SignInRules, User


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for one account; lengths in characters."""

    password_length: int


def rules_for(account: User | None) -> Rules:
    """Return what holds for an account; without one, what holds for everybody."""
    own = _own_rules(account)
    return Rules(
        password_length=max(settings.PORTAL.password_length, (own and own.password_length) or 0),
    )


def _own_rules(account: User | None) -> SignInRules | None:
    """Return the organisation's rules, if it has any; the account's manager has brought them along."""
    if account is None or account.tenant is None:
        return None
    try:
        rules: SignInRules = account.tenant.sign_in_rules
    except ObjectDoesNotExist:
        return None
    return rules
