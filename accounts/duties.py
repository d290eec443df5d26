"""Say what a person who has signed in must do before anything else is possible.

Pages lead there; sockets and the API are refused, since `read_live_account` asks too.
"""

from __future__ import annotations

from dataclasses import dataclass

from accounts.models import User
from accounts.rules import rules_for


@dataclass(frozen=True, slots=True)
class Duty:
    """Something to be done first: the page for it, and the other pages that it takes."""

    page: str
    also: frozenset[str] = frozenset()


CHANGE_PASSWORD = Duty("account_password")
ADD_SECOND_FACTOR = Duty(
    "account_second_factor",
    also=frozenset(
        {"account_second_factor_app", "account_second_factor_key", "account_reauthenticate", "sso_start"}
    ),
)
# Whatever is to be done, people can leave, and read it in their own language.
ALWAYS = frozenset({"account_logout", "set_language", "healthz", "readyz"})


def duty_of(account: User, *, by_provider: bool) -> Duty | None:
    """Return what the account has to do first, in a session that began at an identity provider or not."""
    if account.must_change_password:
        return CHANGE_PASSWORD
    if account.has_second_factor:
        return None
    rules = rules_for(account)
    is_asked = rules.second_factor_after_sso or not by_provider
    return ADD_SECOND_FACTOR if rules.needs_second_factor and is_asked else None
