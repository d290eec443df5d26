"""Say what a person who has signed in must do before anything else is possible.

Pages lead there; sockets and the API are refused, since `read_live_account` asks too.
"""

from __future__ import annotations

from dataclasses import dataclass

from accounts.models import User


@dataclass(frozen=True, slots=True)
class Duty:
    """Something to be done first: the page for it, and the other pages that it takes."""

    page: str
    also: frozenset[str] = frozenset()


CHANGE_PASSWORD = Duty("account_password")
# Whatever is to be done, people can leave, and read it in their own language.
ALWAYS = frozenset({"account_logout", "set_language", "healthz", "readyz"})


def duty_of(account: User) -> Duty | None:
    """Return what the account has to do first."""
    if account.must_change_password:
        return CHANGE_PASSWORD
    return None
