"""Show people where they are signed in, and let them end it."""

from __future__ import annotations

from datetime import timedelta
from typing import cast
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from accounts.rules import rules_for
from accounts.session_store import SessionStore
from accounts.sessions import end_other_sessions, end_own_session, sessions_of
from accounts.views import sign_out


@require_safe
def sessions(request: HttpRequest) -> HttpResponse:
    """List one's own sessions."""
    account = cast(User, request.user)
    rules = rules_for(account)
    context = {
        "sessions": sessions_of(account, current=_digest(request)),
        "idle_minutes": rules.idle // timedelta(minutes=1),
        "lifetime_hours": rules.lifetime // timedelta(hours=1),
    }
    return render(request, "account/sessions.html", context)


@require_POST
def end(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """End one of one's own sessions; ending the current one is signing out. Raises NotFound."""
    account = cast(User, request.user)
    listed = sessions_of(account, current=_digest(request))
    if any(each.is_current and each.id == session_id for each in listed):
        return sign_out(request)
    end_own_session(account, session_id)
    messages.success(request, gettext("The session has ended."))
    return redirect("account_sessions")


@require_POST
def end_others(request: HttpRequest) -> HttpResponse:
    """End all of one's own sessions but this one."""
    count = end_other_sessions(cast(User, request.user), current=_digest(request))
    told = ngettext("%(count)d session has ended.", "%(count)d sessions have ended.", count)
    messages.success(request, told % {"count": count})
    return redirect("account_sessions")


def _digest(request: HttpRequest) -> str:
    return cast(SessionStore, request.session).digest
