"""Let people change their own password."""

from __future__ import annotations

from typing import cast

from allauth.account.adapter import get_adapter
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts.errors import PasswordElsewhere
from accounts.models import User
from accounts.password_forms import PasswordForm
from accounts.passwords import change_password
from accounts.rules import rules_for
from common.errors import NotFound


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def password(request: HttpRequest) -> HttpResponse:
    """Change the password; a wrong current one counts as a failed sign-in.

    Only this browser stays signed in, under a new session key. Raises NotFound where the person has no password here.
    """
    account = cast(User, request.user)
    if not account.has_usable_password():
        raise NotFound from PasswordElsewhere()
    form = PasswordForm(request.POST or None, asks_current=not account.must_change_password)
    if form.is_valid() and _knows_current(request, form, account) and _change(form, account):
        update_session_auth_hash(request, User.objects.get(pk=account.pk))
        messages.success(request, gettext("The password is changed. All your other sessions have ended."))
        return redirect(get_adapter(request).get_login_redirect_url(request))
    context = {
        "form": form,
        "is_forced": account.must_change_password,
        "length": rules_for(account).password_length,
    }
    return render(request, "account/password.html", context)


def _knows_current(request: HttpRequest, form: PasswordForm, account: User) -> bool:
    if "current" not in form.fields:
        return True
    given = form.cleaned_data["current"]
    if get_adapter(request).authenticate(request, username=account.handle, password=given) == account:
        return True
    form.add_error("current", gettext("This is not your current password."))
    return False


def _change(form: PasswordForm, account: User) -> bool:
    try:
        change_password(account, new=form.cleaned_data["new"])
    except ValidationError as error:
        form.add_error("new", error)
        return False
    return True
