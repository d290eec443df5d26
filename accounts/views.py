"""Sign people out, and say that there is no sign-up."""

from __future__ import annotations

from allauth.account.adapter import get_adapter
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from common.errors import NotFound


@login_not_required
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session and go to the sign-in page; a second time does no harm.

    Raises AuditUnavailable where it cannot be recorded. The session is over all the same: who leaves a shared machine
    must be able to.
    """
    try:
        get_adapter(request).logout(request)
    finally:
        if not request.session.is_empty():
            request.session.flush()
            request.user = AnonymousUser()
    return redirect("account_login")


@login_not_required
def no_sign_up(_request: HttpRequest) -> HttpResponse:
    """Answer as for any missing page: accounts are given by the organisation. allauth needs the name to exist."""
    raise NotFound
