"""Check second factors so that guessing one locks the account, as guessing its password does."""

from __future__ import annotations

from allauth.account.internal.flows.login import record_authentication
from allauth.mfa.models import Authenticator
from axes.handlers.proxy import AxesProxyHandler
from django.contrib.auth.signals import user_login_failed
from django.http import HttpRequest

from accounts.hashing import one_attempt
from accounts.models import User
from accounts.second_factor import use_code
from accounts.security_keys import use_key


def check_factor(request: HttpRequest, account: User) -> bool:
    """Return whether the form holds a right code, or the answer of one of the account's keys; note it in the session.

    A wrong one counts as a failed sign-in; where the account is locked nothing is looked at, and the answer to the
    request becomes that of a lockout.
    """
    credentials = {"username": account.handle}
    with one_attempt(account.handle):
        if not AxesProxyHandler.is_allowed(request, credentials):
            request.axes_locked_out, request.axes_credentials = True, credentials  # type: ignore[attr-defined]
            return False
        factor = _find(request, account)
        if factor is None:
            user_login_failed.send(sender=__name__, credentials=credentials, request=request)
            return False
    factor.record_usage()
    record_authentication(request, account, "mfa", type=factor.type)
    return True


def _find(request: HttpRequest, account: User) -> Authenticator | None:
    if answer := request.POST.get("answer"):
        return use_key(request, account, answer=answer)
    return use_code(account, request.POST.get("code", "")[:64])
