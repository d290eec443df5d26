"""Let operators open organisations, set what is theirs to set, suspend and delete them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import cast
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import organisations, parameters
from accounts.administration import set_separation
from accounts.errors import ChangeRefused
from accounts.models import User
from accounts.organisation_errors import NameDiffers
from accounts.recent import require_recent_sign_in
from accounts.roles import TENANT_MANAGE
from common.access import require_permission
from common.errors import BadRequest
from console.opening import open_organisation
from console.organisation_forms import FindForm, NameForm, OpeningForm, SettingsForm
from console.organisations import list_organisations, organisation, organisation_page
from console.parameter_forms import ParameterForm, read_parameters
from console.parameter_pages import parameter_page, show_history
from console.parameter_views import save_parameters
from tenants.models import REASON_CHARS, Tenant
from tenants.parameters import Keeper, Scope, parameters_of
from tenants.scope import tenant_scope

SHOWN_CHANGES = 20


@require_safe
@require_permission(TENANT_MANAGE)
def index(request: HttpRequest) -> HttpResponse:
    """Show a page of the list."""
    form = FindForm(request.GET)
    if not form.is_valid():
        raise BadRequest
    wanted = form.cleaned_data
    page = list_organisations(text=wanted["q"].strip(), state=wanted["state"], after=wanted["after"])
    return render(request, "console/organisations/list.html", {"page": page, "form": form, "wanted": wanted})


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(TENANT_MANAGE)
@require_recent_sign_in
def create(request: HttpRequest) -> HttpResponse:
    """Open an organisation, and show the first administrator's password once."""
    form = OpeningForm(request.POST or None)
    if request.method != "POST" or not form.is_valid():
        status = 400 if request.method == "POST" else 200
        return render(request, "console/organisations/create.html", {"form": form}, status=status)
    try:
        opened = open_organisation(**form.cleaned_data, by=_account(request))
    except ValidationError as error:
        form.add_error(None, ValidationError(error.messages))
        return render(request, "console/organisations/create.html", {"form": form}, status=400)
    return render(request, "console/organisations/created.html", {"opened": opened})


@require_safe
@require_permission(TENANT_MANAGE)
def show(request: HttpRequest, tenant_id: UUID) -> HttpResponse:
    """Show one organisation."""
    return _page(request, organisation(tenant_id))


@require_POST
@require_permission(TENANT_MANAGE)
@require_recent_sign_in
def settings(request: HttpRequest, tenant_id: UUID) -> HttpResponse:
    """Set name, share of the engine, and separation."""
    tenant, form = organisation(tenant_id), SettingsForm(request.POST)
    if not form.is_valid():
        return _page(request, tenant, form=form, status=400)
    return _done(request, tenant, partial(_set, tenant, form, by=_account(request)), gettext("Saved."))


@require_POST
@require_permission(TENANT_MANAGE)
@require_recent_sign_in
def quotas(request: HttpRequest, tenant_id: UUID) -> HttpResponse:
    """Set the quotas."""
    tenant, account = organisation(tenant_id), _account(request)
    form = read_parameters(request.POST, parameters_of(scope=Scope.TENANT, keeper=Keeper.OPERATOR))
    save = partial(parameters.set_parameters, form.wanted, by=account, tenant=tenant)
    return save_parameters(
        request,
        form,
        save=lambda: save(reason=form.reason),
        page=partial(_page, request, tenant),
        to=reverse("console:organisation", args=[tenant.pk]),
    )


@require_POST
@require_permission(TENANT_MANAGE)
@require_recent_sign_in
def suspend(request: HttpRequest, tenant_id: UUID) -> HttpResponse:
    """Shut everybody out."""
    tenant = organisation(tenant_id)
    act = partial(organisations.suspend_tenant, tenant, by=_account(request))
    return _done(request, tenant, act, gettext("Suspended. What was open has ended."))


@require_POST
@require_permission(TENANT_MANAGE)
@require_recent_sign_in
def resume(request: HttpRequest, tenant_id: UUID) -> HttpResponse:
    """Let everybody in again."""
    tenant = organisation(tenant_id)
    act = partial(organisations.resume_tenant, tenant, by=_account(request))
    return _done(request, tenant, act, gettext("Its people can sign in again."))


@require_POST
@require_permission(TENANT_MANAGE)
@require_recent_sign_in
def delete(request: HttpRequest, tenant_id: UUID) -> HttpResponse:
    """Have an organisation deleted after the waiting period; its name has been typed."""
    tenant, form = organisation(tenant_id), NameForm(request.POST)
    if not form.is_valid():
        raise BadRequest
    typed = form.cleaned_data["confirm"]
    try:
        act = partial(organisations.ask_deletion, tenant, typed=typed, by=_account(request))
        return _done(request, tenant, act, gettext("Suspended, and to be deleted."))
    except NameDiffers as error:
        return _page(request, tenant, confirm_error=gettext(str(error)), status=400)


@require_POST
@require_permission(TENANT_MANAGE)
@require_recent_sign_in
def keep(request: HttpRequest, tenant_id: UUID) -> HttpResponse:
    """Take a deletion back."""
    tenant = organisation(tenant_id)
    act = partial(organisations.keep_tenant, tenant, by=_account(request))
    return _done(request, tenant, act, gettext("It is not deleted, and stays suspended."))


def _set(tenant: Tenant, form: SettingsForm, *, by: User) -> None:
    wanted = form.cleaned_data
    if (wanted["name"], wanted["engine_weight"]) != (tenant.name, tenant.engine_weight):
        organisations.set_tenant(tenant, name=wanted["name"], engine_weight=wanted["engine_weight"], by=by)
    if wanted["separation"] != tenant.three_admin_separation:
        set_separation(tenant, is_on=wanted["separation"], by=by)


def _done(request: HttpRequest, tenant: Tenant, act: Callable[[], object], said: str) -> HttpResponse:
    """Do the act and say so, or say why it was refused. Raises NameDiffers."""
    try:
        act()
    except NameDiffers:
        raise
    except ChangeRefused as error:
        messages.error(request, gettext(str(error)))
    else:
        messages.success(request, said)
    return redirect("console:organisation", tenant.pk)


def _page(
    request: HttpRequest,
    tenant: Tenant,
    *,
    form: SettingsForm | None = None,
    typed: ParameterForm | None = None,
    faults: dict[str, str] | None = None,
    error: str = "",
    confirm_error: str = "",
    status: int = 200,
) -> HttpResponse:
    account = _account(request)
    shown = {
        "name": tenant.name,
        "engine_weight": f"{tenant.engine_weight:g}",
        "separation": tenant.three_admin_separation,
    }
    with tenant_scope(tenant.pk):
        context = {
            "organisation": organisation_page(tenant),
            "form": form or SettingsForm(initial=shown),
            "page": parameter_page(
                account, tenant=tenant, keeper=Keeper.OPERATOR, typed=typed, faults=faults, error=error
            ),
            "changes": show_history(account, tenant=tenant, keeper=Keeper.OPERATOR, count=SHOWN_CHANGES),
            "confirm_error": confirm_error,
            "reason_max_chars": REASON_CHARS,
        }
    return render(request, "console/organisations/show.html", context, status=status)


def _account(request: HttpRequest) -> User:
    return cast(User, request.user)
