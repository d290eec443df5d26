"""Let people see, make and revoke their own tokens."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST

from accounts.errors import ChangeRefused
from accounts.models import User
from accounts.recent import is_recent, require_recent_sign_in
from accounts.roles import API_USE
from accounts.token_forms import TokenForm
from accounts.tokens import Given, are_allowed, create_token, list_tokens, revoke_token
from common.access import require_permission


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(API_USE)
def tokens(request: HttpRequest) -> HttpResponse:
    """Show one's tokens, and make one for who has shown a moment ago that it is them."""
    return _make(request) if request.method == "POST" else _tokens(request)


def _tokens(request: HttpRequest) -> HttpResponse:
    """Show one's tokens, or make one: its text stands in the answer, once."""
    form, given = TokenForm(request.POST or None), None
    if form.is_valid():
        given = _create(request, form)
        form = TokenForm() if given else form
    account = _account(request)
    context = {
        "form": form,
        "given": given,
        "tokens": list_tokens(account),
        "are_allowed": are_allowed(cast(UUID, account.tenant_id)),
        "is_recent": is_recent(request),
        "most_days": settings.PORTAL.token_days,
    }
    return render(request, "account/tokens.html", context, status=400 if form.errors else 200)


_make = require_recent_sign_in(_tokens)


@require_POST
@require_permission(API_USE)
def revoke(request: HttpRequest, token_id: UUID) -> HttpResponse:
    """End one of one's tokens."""
    revoke_token(token_id, by=_account(request))
    messages.success(request, gettext("The token is revoked; it is refused from now on."))
    return redirect("account_tokens")


def _create(request: HttpRequest, form: TokenForm) -> Given | None:
    try:
        return create_token(_account(request), **form.cleaned_data)
    except ChangeRefused as error:
        form.add_error(None, gettext(error.message))
    except ValidationError as error:
        form.add_error(None, error)
    return None


def _account(request: HttpRequest) -> User:
    return cast(User, request.user)
