"""Unlock accounts that are locked after failed sign-ins."""

from __future__ import annotations

from axes.models import AccessAttempt

from accounts.administration import act_on
from accounts.lockout import axes_username
from accounts.models import User


def has_failed(account: User) -> bool:
    """Return whether failed sign-ins to an account are remembered; some of them may have locked it."""
    attempts = AccessAttempt.objects.filter(username=axes_username(None, {"username": account.handle}))
    return bool(attempts.exists())


def unlock_account(account: User, *, by: User) -> None:
    """Forget the failed sign-ins to an account, from wherever they came. Raises PermissionMissing and OwnAccount."""
    with act_on("account.unlock", account, by=by) as act:
        AccessAttempt.objects.filter(username=axes_username(None, {"username": act.account.handle})).delete()
