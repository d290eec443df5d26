"""Record what happens at the door, and close what a sign-out must close."""

from __future__ import annotations

import time
from typing import Any

from axes.signals import user_locked_out
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest

from accounts.live import end_live_session
from accounts.lockout import attempt_handle, request_ip
from accounts.models import HANDLE_SEPARATOR, User
from accounts.session_store import SessionStore
from accounts.sessions import begin_session
from accounts.sso.completing import bind_session
from audit.services import record_event
from tenants.models import Tenant

LOCKOUT_EVENT_S = 60
LOCKOUTS_KEPT = 1000
_lockouts: dict[str, float] = {}


@receiver(user_logged_in)
def record_login(*, request: HttpRequest, user: User, **_: Any) -> None:
    """Begin the session, in the browser that has one, and record the sign-in."""
    if isinstance(getattr(request, "session", None), SessionStore):
        begin_session(request, user)
    record_event(
        action="auth.login", tenant_id=user.tenant_id, actor=user.id, ip=request_ip(request), status=200
    )


@receiver(user_logged_in)
def bind_to_provider(*, request: HttpRequest, user: User, **_: Any) -> None:
    """Let a provider end the session that began with it; a sign-in at the terminal has no session."""
    if hasattr(request, "session"):
        bind_session(request, user)


@receiver(user_logged_out)
def record_logout(*, request: HttpRequest, user: User | None, **_: Any) -> None:
    """Close the session's open chats at once and record the sign-out; the chats close even if it cannot be recorded.

    What the person has open elsewhere stays.
    """
    if user is None:
        return
    if isinstance(request.session, SessionStore):
        end_live_session(user.id, request.session.digest)
    record_event(
        action="auth.logout", tenant_id=user.tenant_id, actor=user.id, ip=request_ip(request), status=200
    )


@receiver(user_login_failed)
def record_failure(*, credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    """Record a failed sign-in in the chain of the organisation that was named, if there is one.

    An attempt on a locked account is the lockout's to record.
    """
    if getattr(request, "axes_locked_out", False):
        return
    _record_refusal("auth.login_failed", request=request, credentials=credentials, status=401)


@receiver(user_locked_out)
def record_lockout(*, request: HttpRequest, credentials: dict[str, Any] | None = None, **_: Any) -> None:
    """Record a lockout, once a minute for each account: a stranger must not be able to fill the chain."""
    handle = attempt_handle(request, credentials)
    now = time.monotonic()
    for old in [known for known, at in _lockouts.items() if now - at > LOCKOUT_EVENT_S]:
        del _lockouts[old]
    if handle in _lockouts or len(_lockouts) >= LOCKOUTS_KEPT:
        return
    _lockouts[handle] = now
    _record_refusal("auth.lockout", request=request, credentials=credentials, status=423)


def _record_refusal(
    action: str, *, request: HttpRequest | None, credentials: dict[str, Any] | None, status: int
) -> None:
    handle = attempt_handle(request, credentials)
    account = User.objects.filter(handle=handle).first()
    code, separator, _login = handle.partition(HANDLE_SEPARATOR)
    tenant = Tenant.objects.filter(code=code).first() if separator else None
    record_event(
        action=action,
        tenant_id=tenant.id if tenant else None,
        actor=account.id if account else None,
        outcome="refused",
        status=status,
        ip=request_ip(request) if request is not None else None,
    )
