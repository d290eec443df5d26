"""Let an invited person in: the link leads to a page that asks for their password.

The link itself is seen once, by the first address only: it goes on in a cookie for that page, so that it stands in no
history, no referrer and no form's address while somebody thinks about a password. Looking does not use it up.
"""

from __future__ import annotations

from uuid import UUID

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ValidationError
from django.core.signing import BadSignature
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_safe

from accounts.errors import InvitationOver
from accounts.invitations import Invitation, accept_invitation, find_invited
from accounts.models import User
from accounts.password_forms import PasswordForm
from accounts.rules import rules_for

COOKIE = "portal_invitation"
COOKIE_S = 1800


@login_not_required
@sensitive_variables("token")
@require_safe
def enter(_request: HttpRequest, account_id: UUID, token: str) -> HttpResponse:
    """Take the link and go to the page without it; one that does not hold says so there."""
    response = redirect("account_invitation")
    response.set_signed_cookie(
        COOKIE,
        f"{account_id}:{token}",
        max_age=COOKIE_S,
        path=reverse("account_invitation"),
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return response


@login_not_required
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def join(request: HttpRequest) -> HttpResponse:
    """Ask for the person's own password; then they sign in like everybody."""
    form = PasswordForm(request.POST or None, asks_current=False)
    try:
        invitation = _invitation_of(request)
        account = find_invited(invitation)
        if form.is_valid() and _accept(form, invitation):
            return _done(request)
    except InvitationOver as error:
        said = {"message": gettext(error.message)}
        return render(request, "account/invitation_over.html", said, status=error.http_status)
    context = {"form": form, "account": account, "length": rules_for(account).password_length}
    return render(request, "account/invitation.html", context, status=400 if form.errors else 200)


def _invitation_of(request: HttpRequest) -> Invitation:
    try:
        kept = str(request.get_signed_cookie(COOKIE, max_age=COOKIE_S))
        account_id, _separator, token = kept.partition(":")
        return Invitation(UUID(account_id), token)
    except (KeyError, ValueError, BadSignature):
        raise InvitationOver from None


def _accept(form: PasswordForm, invitation: Invitation) -> User | None:
    try:
        return accept_invitation(invitation, password=form.cleaned_data["new"])
    except ValidationError as error:
        form.add_error("new", error)
        return None


def _done(request: HttpRequest) -> HttpResponse:
    """Lead to the sign-in page; whoever else is signed in here, in this browser, is signed out."""
    if request.user.is_authenticated:
        get_adapter(request).logout(request)
    messages.success(request, gettext("Your password is set. You can sign in now."))
    response = redirect("account_login")
    response.delete_cookie(COOKIE, path=reverse("account_invitation"), samesite="Lax")
    return response
