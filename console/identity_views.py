"""Keep ways of signing in: administrators their organisation's, operators every organisation's."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.directory.asking import IS_INSTALLED
from accounts.directory.trying import try_out
from accounts.errors import ChangeRefused
from accounts.models import User
from accounts.provider_models import IdentityProvider, Origin, ProviderKind
from accounts.providers import (
    add_provider,
    change_provider,
    delete_provider,
    find_provider,
    list_providers,
    may_manage,
    switch_provider,
)
from accounts.recent import require_recent_sign_in
from accounts.roles import IDENTITY_MANAGE
from accounts.sso import trial as sso_trial
from common.access import PermissionMissing, require_permission
from common.errors import NotFound
from console.identity_forms import ProviderForm, draft_of, form_of, read_form, with_faults
from console.identity_trials import shown, shown_way
from tenants.models import Tenant

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def for_its_keepers(view: View[P]) -> View[P]:
    """Let only those in who keep this organisation's ways of signing in, before they are asked who they are anew."""

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        tenant, provider_id = _tenant(request, str(kwargs["code"])), kwargs.get("provider_id")
        if isinstance(provider_id, UUID):
            find_provider(tenant, provider_id, by=_viewer(request))
        return view(request, *args, **kwargs)

    return guarded


@require_safe
@require_permission(IDENTITY_MANAGE)
def index(request: HttpRequest) -> HttpResponse:
    """Show an operator the organisations; lead an administrator to the own one."""
    viewer = _viewer(request)
    if viewer.tenant is not None:
        return redirect("console:identity_list", viewer.tenant.code)
    return render(
        request, "console/identity/organisations.html", {"tenants": Tenant.objects.order_by("code")}
    )


@require_safe
@require_permission(IDENTITY_MANAGE)
def providers(request: HttpRequest, code: str) -> HttpResponse:
    """Show an organisation's ways of signing in."""
    tenant = _tenant(request, code)
    context = {"tenant": tenant, "providers": list_providers(tenant), "kinds": ProviderKind.choices}
    return render(request, "console/identity/list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(IDENTITY_MANAGE)
@for_its_keepers
@require_recent_sign_in
def add(request: HttpRequest, code: str, kind: str) -> HttpResponse:
    """Add one, switched off."""
    tenant = _tenant(request, code)
    if kind not in ProviderKind.values:
        raise NotFound
    if request.method != "POST":
        return _edit_page(request, tenant, form_of(kind, None), None)
    form = read_form(kind, request.POST, None)
    try:
        row = add_provider(
            tenant,
            code=form.values["code"],
            kind=kind,
            draft=draft_of(form, request.POST),
            by=_viewer(request),
        )
    except ValidationError as error:
        return _edit_page(request, tenant, with_faults(form, error), None, status=400)
    messages.success(request, gettext("Added. Test it, then switch it on."))
    return redirect("console:identity", code, row.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(IDENTITY_MANAGE)
@for_its_keepers
@require_recent_sign_in
def provider(request: HttpRequest, code: str, provider_id: UUID) -> HttpResponse:
    """Show one; take what was changed."""
    tenant, row = _found(request, code, provider_id)
    if request.method != "POST":
        return _edit_page(request, tenant, form_of(row.kind, row), row)
    form = read_form(row.kind, request.POST, row)
    try:
        change_provider(row, draft=draft_of(form, request.POST), by=_viewer(request))
    except ValidationError as error:
        return _edit_page(request, tenant, with_faults(form, error), row, status=400)
    except ChangeRefused as error:
        return _back(request, row, error)
    messages.success(request, gettext("Saved."))
    return redirect("console:identity", code, row.pk)


@require_POST
@require_permission(IDENTITY_MANAGE)
@for_its_keepers
@require_recent_sign_in
def switch(request: HttpRequest, code: str, provider_id: UUID) -> HttpResponse:
    """Switch one on, or off."""
    _tenant_of_row, row = _found(request, code, provider_id)
    is_on = request.POST.get("on") == "1"
    try:
        switch_provider(row, is_on=is_on, by=_viewer(request))
    except ChangeRefused as error:
        return _back(request, row, error)
    said = gettext("Switched on.") if is_on else gettext("Switched off; its people are signed out.")
    messages.success(request, said)
    return redirect("console:identity", code, row.pk)


@require_POST
@require_permission(IDENTITY_MANAGE)
@for_its_keepers
@require_recent_sign_in
def delete(request: HttpRequest, code: str, provider_id: UUID) -> HttpResponse:
    """Delete one, once its code is typed."""
    _tenant_of_row, row = _found(request, code, provider_id)
    if request.POST.get("confirm", "").strip() != row.code:
        messages.error(request, gettext("Type the word exactly as it is shown."))
        return redirect("console:identity", code, row.pk)
    try:
        delete_provider(row, by=_viewer(request))
    except ChangeRefused as error:
        return _back(request, row, error)
    messages.success(request, gettext("Deleted."))
    return redirect("console:identity_list", code)


@require_POST
@require_permission(IDENTITY_MANAGE)
def test(request: HttpRequest, code: str, provider_id: UUID) -> HttpResponse:
    """Try a provider and show each step."""
    tenant, row = _found(request, code, provider_id)
    if row.kind != ProviderKind.LDAP:
        steps = sso_trial.try_out(row, by=_viewer(request))
        return _edit_page(request, tenant, form_of(row.kind, row), row, trials=shown_way(row, steps))
    name = request.POST.get("person", "")[:64]
    try:
        trials = try_out(row, by=_viewer(request), name=name)
    except ChangeRefused as error:
        return _back(request, row, error)
    return _edit_page(request, tenant, form_of(row.kind, row), row, trials=shown(row, trials), person=name)


def _edit_page(
    request: HttpRequest,
    tenant: Tenant,
    form: ProviderForm,
    row: IdentityProvider | None,
    *,
    status: int = 200,
    **more: object,
) -> HttpResponse:
    context = {
        "tenant": tenant,
        "form": form,
        "provider": row,
        "kind": ProviderKind(form.kind).label,
        "is_fixed": row is not None and row.origin == Origin.SETTINGS,
        "is_missing": form.kind == ProviderKind.LDAP and not IS_INSTALLED,
        **more,
    }
    return render(request, "console/identity/provider.html", context, status=status)


def _found(request: HttpRequest, code: str, provider_id: UUID) -> tuple[Tenant, IdentityProvider]:
    tenant = _tenant(request, code)
    return tenant, find_provider(tenant, provider_id, by=_viewer(request))


def _tenant(request: HttpRequest, code: str) -> Tenant:
    """Return the organisation, if the viewer keeps its ways of signing in. Raises PermissionMissing."""
    tenant = Tenant.objects.filter(code=code).first()
    if tenant is None or not may_manage(_viewer(request), tenant.pk):
        raise PermissionMissing(IDENTITY_MANAGE)
    return tenant


def _back(request: HttpRequest, row: IdentityProvider, error: ChangeRefused) -> HttpResponse:
    messages.error(request, gettext(error.message))
    return redirect("console:identity", row.tenant.code, row.pk)


def _viewer(request: HttpRequest) -> User:
    return cast(User, request.user)
