"""Ask for the second factor at the door, and let people add, replace and remove theirs."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from allauth.account.internal.decorators import login_stage_required
from allauth.mfa.models import Authenticator
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.drawing import draw_code
from accounts.duties import duty_of
from accounts.guessing import check_factor
from accounts.models import User
from accounts.recent import require_recent_sign_in
from accounts.second_factor import (
    add_app,
    address_for_app,
    factors_of,
    new_recovery_codes,
    new_secret,
    recovery_codes_left,
    remove_factor,
)
from accounts.security_keys import begin_adding, begin_asking, finish_adding
from accounts.session_store import SessionStore
from accounts.sessions import end_other_sessions
from accounts.stages import SecondFactorStage
from common.errors import NotFound

NEW_SECRET = "second_factor_new_secret"  # noqa: S105 (a name)
NAME_CHARS = 40
Kind = Authenticator.Type
either = require_http_methods(["GET", "HEAD", "POST"])


@either
@login_stage_required(stage=SecondFactorStage.key, redirect_urlname="account_login")  # type: ignore[untyped-decorator]
def ask(request: HttpRequest) -> HttpResponse:
    """Take the second step of signing in."""
    stage: SecondFactorStage = request._login_stage  # type: ignore[attr-defined]
    account = User.objects.get(pk=stage.login.user.pk)
    if request.method == "POST" and check_factor(request, account):
        return cast(HttpResponse, stage.exit())
    return render(request, "account/second_factor_ask.html", _asking(request, account))


@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """Show one's own factors."""
    account = cast(User, request.user)
    context = {
        "factors": factors_of(account),
        "codes_left": recovery_codes_left(account),
        "is_due": duty_of(account, by_provider=cast(SessionStore, request.session).is_by_provider)
        is not None,
    }
    return render(request, "account/second_factor.html", context)


@either
@require_recent_sign_in
def app(request: HttpRequest) -> HttpResponse:
    """Add an app: show its secret, and take it over once it gives the right code."""
    account = cast(User, request.user)
    secret = request.session.get(NEW_SECRET) or new_secret()
    request.session[NEW_SECRET] = secret
    is_wrong = request.method == "POST"
    if is_wrong and add_app(account, secret=secret, code="".join(request.POST.get("code", "").split())):
        del request.session[NEW_SECRET]
        return _added(request, account)
    context = {
        "drawing": draw_code(address_for_app(account, secret)),
        "secret": " ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
        "is_wrong": is_wrong,
    }
    return render(request, "account/second_factor_app.html", context)


@either
@require_recent_sign_in
def key(request: HttpRequest) -> HttpResponse:
    """Add a security key."""
    account = cast(User, request.user)
    is_wrong = request.method == "POST"
    name = request.POST.get("name", "").strip()[:NAME_CHARS] or gettext("Security key")
    if is_wrong and finish_adding(request, account, answer=request.POST.get("answer", ""), name=name):
        return _added(request, account)
    context = {"options": begin_adding(request, account), "is_wrong": is_wrong}
    return render(request, "account/second_factor_key.html", context)


@require_POST
@require_recent_sign_in
def codes(request: HttpRequest) -> HttpResponse:
    """Make new recovery codes and show them, once. Raises NotFound without a factor that they stand for."""
    account = cast(User, request.user)
    if not account.has_second_factor:
        raise NotFound
    return render(request, "account/recovery_codes.html", {"codes": new_recovery_codes(account)})


@require_POST
@require_recent_sign_in
def remove_app(request: HttpRequest) -> HttpResponse:
    """Remove the app. Raises NotFound."""
    return _removed(request, kind=Kind.TOTP)


@require_POST
@require_recent_sign_in
def remove_key(request: HttpRequest, key_id: UUID) -> HttpResponse:
    """Remove a security key. Raises NotFound."""
    return _removed(request, kind=Kind.WEBAUTHN, key_id=str(key_id))


def _asking(request: HttpRequest, account: User) -> dict[str, Any]:
    """Return what a page shows that asks for a factor."""
    return {"options": begin_asking(request, account), "is_wrong": request.method == "POST"}


def _added(request: HttpRequest, account: User) -> HttpResponse:
    """Go on under a new session key, alone, and with recovery codes if there are none yet."""
    session = cast(SessionStore, request.session)
    session.cycle_key()
    end_other_sessions(account, current=session.digest)
    messages.success(request, gettext("The second factor is added. All your other sessions have ended."))
    if recovery_codes_left(account):
        return redirect("account_second_factor")
    return render(request, "account/recovery_codes.html", {"codes": new_recovery_codes(account)})


def _removed(request: HttpRequest, *, kind: str, key_id: str = "") -> HttpResponse:
    if not remove_factor(cast(User, request.user), kind=kind, key_id=key_id):
        raise NotFound
    request.session.cycle_key()
    messages.success(request, gettext("The second factor is removed."))
    return redirect("account_second_factor")
