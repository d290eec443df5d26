"""Ask people to show anew that it is them before they do something that cannot be taken back.

    @require_recent_sign_in
    def change_everything(request): …

Whoever signed in, or confirmed it, within PORTAL_RECENT_MINUTES goes on; others are led to `/accounts/confirm/` and
back: by their password, their second factor, or once more through the identity provider that they came by. What a
form held is not kept, so guard the page that shows the form, too: people then confirm before they fill it in.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec
from urllib.parse import quote, urlsplit

from allauth.account.internal.flows.login import get_authentication_records
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme

from accounts.models import User

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]
SAFE_METHODS = frozenset({"GET", "HEAD"})


def require_recent_sign_in(view: View[P]) -> View[P]:
    """Let a view be reached only soon after its person has shown that it is them."""

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if is_recent(request):
            return view(request, *args, **kwargs)
        return redirect(f"{resolve_url('account_reauthenticate')}?next={quote(_way_back(request))}")

    return guarded


def is_recent(request: HttpRequest) -> bool:
    """Return whether the person signed in, or confirmed, a moment ago; what is in the session is sealed."""
    if not isinstance(request.user, User):
        return False
    times = [float(record.get("at", 0)) for record in get_authentication_records(request, request.user)]
    age_s = time.time() - max(times, default=0.0)
    return bool(0 <= age_s < settings.PORTAL.recent_minutes * 60)


def _way_back(request: HttpRequest) -> str:
    """Return the page itself, or the one whose form was sent: a form cannot be sent again by a link."""
    if request.method in SAFE_METHODS:
        return request.get_full_path()
    referer = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(referer, allowed_hosts={request.get_host()}):
        return "/"
    parts = urlsplit(referer)
    return parts._replace(scheme="", netloc="", fragment="").geturl() or "/"
