"""Add people and give them a way in: what opens it is shown once, on the answer to the form, and kept nowhere."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST

from accounts.errors import ChangeRefused
from accounts.invitations import Invitation, renew_invitation
from accounts.models import User
from accounts.onboarding import Welcome, add_account, appoint_first_admin, renew_first_admin
from accounts.passwords import give_temporary_password
from accounts.recent import require_recent_sign_in
from accounts.roles import ACCOUNT_MANAGE, TENANT_MANAGE
from common.access import require_permission
from console.user_forms import AddForm, FirstAdminForm
from console.users import managed_account
from tenants.models import Tenant


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(ACCOUNT_MANAGE)
@require_recent_sign_in
def add(request: HttpRequest) -> HttpResponse:
    """Add somebody to the own organisation, or an operator."""
    viewer = _viewer(request)
    form = AddForm(request.POST or None, tenant=viewer.tenant)
    if form.is_valid():
        try:
            welcome = add_account(form.newcomer(), way=form.way(), by=viewer)
        except ValidationError as error:
            form.take_over(error)
        else:
            return _welcome(request, welcome)
    status = 400 if form.errors else 200
    return render(request, "console/users/add.html", {"form": form}, status=status)


@require_POST
@require_permission(ACCOUNT_MANAGE)
@require_recent_sign_in
def reset_password(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Give a temporary password in place of one that was forgotten."""
    account = managed_account(_viewer(request), account_id)
    try:
        password = give_temporary_password(account, by=_viewer(request))
    except ChangeRefused as error:
        return _refused(request, error, account.pk)
    return _welcome(request, Welcome(account, password=password))


@require_POST
@require_permission(ACCOUNT_MANAGE)
@require_recent_sign_in
def invite(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Hand out another invitation link; the one before is worthless then."""
    account = managed_account(_viewer(request), account_id)
    try:
        invitation = renew_invitation(account, by=_viewer(request))
    except ChangeRefused as error:
        return _refused(request, error, account.pk)
    return _welcome(request, Welcome(account, invitation=invitation))


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(TENANT_MANAGE)
@require_recent_sign_in
def first_admin(request: HttpRequest, tenant_id: UUID) -> HttpResponse:
    """Appoint an organisation's first administrator, or renew the invitation of one who has never come in."""
    tenant, viewer = get_object_or_404(Tenant, pk=tenant_id), _viewer(request)
    form = FirstAdminForm(request.POST or None, tenant=tenant)
    try:
        if request.method == "POST" and "renew" in request.POST:
            return _welcome(request, renew_first_admin(tenant, by=viewer))
        if form.is_valid():
            return _welcome(request, appoint_first_admin(tenant, form.newcomer(), way=form.way(), by=viewer))
    except ChangeRefused as error:
        messages.error(request, gettext(error.message))
        return redirect("console:first_admin", tenant.pk)
    except ValidationError as error:
        form.take_over(error)
    context = {"form": form, "tenant": tenant, "admins": _admins(tenant)}
    return render(request, "console/users/first_admin.html", context, status=400 if form.errors else 200)


def _admins(tenant: Tenant) -> str:
    """Say what there is: "" nobody, "invited" one who has never come in, "there" an administrator."""
    admins = list(User.objects.filter(tenant=tenant, role="admin", is_active=True)[:2])
    if not admins:
        return ""
    is_new = len(admins) == 1 and admins[0].invited_until is not None and admins[0].last_login is None
    return "invited" if is_new else "there"


def _welcome(request: HttpRequest, welcome: Welcome) -> HttpResponse:
    """Show, once, what opens the account."""
    link = _link(request, welcome.invitation) if welcome.invitation else ""
    context = {"account": User.objects.get(pk=welcome.account.pk), "password": welcome.password, "link": link}
    return render(request, "console/users/welcome.html", context)


def _link(request: HttpRequest, invitation: Invitation) -> str:
    path = reverse("account_invited", args=[invitation.account_id, invitation.token])
    return request.build_absolute_uri(path)


def _refused(request: HttpRequest, error: ChangeRefused, account_id: UUID) -> HttpResponse:
    messages.error(request, gettext(error.message))
    return redirect("console:user", account_id)


def _viewer(request: HttpRequest) -> User:
    return cast(User, request.user)
