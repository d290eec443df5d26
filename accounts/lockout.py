"""Tell django-axes who fails to sign in, and lock for real.

Two limits count together: attempts on one account from one address, and, four times as many, attempts on one account
from anywhere, so that a spread attack is stopped too while a colleague's mistakes elsewhere do not lock a person out
at once. Names and addresses are stored as keyed pseudonyms only.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import math
from datetime import timedelta
from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.db.models import Max, Sum
from django.db.models.signals import pre_save
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from accounts.models import make_handle
from common import clock
from common.client import client_ip

ANYWHERE_FACTOR = 4


def request_ip(request: HttpRequest) -> str | None:
    """Return the client's address as the portal's proxies saw it."""
    return client_ip(
        remote=request.META.get("REMOTE_ADDR", ""),
        forwarded_for=request.META.get("HTTP_X_FORWARDED_FOR", ""),
        trusted_proxies=settings.PORTAL.trusted_proxies,
    )


def attempt_handle(request: HttpRequest | None, credentials: dict[str, Any] | None) -> str:
    """Return the handle that an attempt names, from the credentials or the form."""
    named = (credentials or {}).get("username")
    if named:
        return str(named).casefold()
    form = request.POST if request is not None else {}
    return make_handle(organisation=str(form.get("organisation", "")), login=str(form.get("login", "")))


def axes_username(request: HttpRequest | None, credentials: dict[str, Any] | None) -> str:
    """Return the pseudonym under which attempts on an account are counted."""
    return _digest("name", attempt_handle(request, credentials)).hex()[:32]


def axes_client_ip(request: HttpRequest) -> str:
    """Return the pseudonym of the client's address, in the shape of a private IPv6 address, which the column wants."""
    digest = _digest("address", request_ip(request) or "unknown")
    return str(ipaddress.IPv6Address(b"\xfd" + digest[:15]))


def axes_client_str(*_args: object, **_kwargs: object) -> str:
    """Return what the log says about a client: nothing."""
    return "client"


class LockoutHandler(AxesDatabaseHandler):  # type: ignore[misc]
    """Lock by account and address, and by account alone at a higher count."""

    def get_failures(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        """Return the failures that count against the limit: here, or a share of those from anywhere."""
        attempts = recent_attempts(request, credentials)
        anywhere = attempts.aggregate(total=Sum("failures_since_start"))["total"] or 0
        return max(int(super().get_failures(request, credentials)), anywhere // ANYWHERE_FACTOR)

    def user_login_failed(
        self, sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any
    ) -> None:
        """Count a failure, without what the browser says of itself."""
        if request is not None:
            request.axes_user_agent = request.axes_http_accept = ""  # type: ignore[attr-defined]
        super().user_login_failed(sender, credentials, request, **kwargs)


@receiver(pre_save, sender=AccessAttempt)
def forget_what_was_sent(*, instance: AccessAttempt, **_: Any) -> None:
    """Keep the count of an attempt and none of the fields that were sent: they are whatever the client wrote."""
    instance.get_data = instance.post_data = ""


def recent_attempts(request: HttpRequest, credentials: dict[str, Any] | None) -> Any:
    """Return the attempts on the account that still count."""
    since = clock.now() - timedelta(minutes=settings.PORTAL.lockout_minutes)
    return AccessAttempt.objects.filter(username=axes_username(request, credentials), attempt_time__gte=since)


def show_lockout(
    request: HttpRequest, _response: HttpResponse | None = None, credentials: dict[str, Any] | None = None
) -> HttpResponse:
    """Answer a locked sign-in: 429, with the time left."""
    last = recent_attempts(request, credentials).aggregate(last=Max("attempt_time"))["last"] or clock.now()
    until = last + timedelta(minutes=settings.PORTAL.lockout_minutes)
    seconds = max(1, math.ceil((until - clock.now()).total_seconds()))
    response = render(request, "account/lockout.html", {"retry_after_s": seconds}, status=429)
    response["Retry-After"] = str(seconds)
    return response


def _digest(purpose: str, text: str) -> bytes:
    key = f"lockout:{purpose}:{settings.SECRET_KEY}".encode()
    return hmac.digest(key, text.encode(), hashlib.sha256)
