"""Import people from a file, with a look at what would happen first; and give the list away as a file."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import cast
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.timezone import localtime
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import importing
from accounts.errors import ChangeRefused
from accounts.import_models import AccountImport
from accounts.importing import Handed
from accounts.listing import matching, state_of
from accounts.models import User
from accounts.recent import require_recent_sign_in
from accounts.roles import ACCOUNT_IMPORT
from accounts.roster import Roster, read_roster
from accounts.sheets import write_sheet
from common.access import require_permission
from console.user_forms import ImportForm, ListForm
from console.user_imports import show_import

REFRESH_S = "2"


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(ACCOUNT_IMPORT)
@require_recent_sign_in
def choose(request: HttpRequest) -> HttpResponse:
    """Take a file and look at it; one with a fault goes no further."""
    form, roster = ImportForm(request.POST or None, request.FILES or None), None
    if form.is_valid():
        roster = _read(request, form)
        if roster is not None and not roster.faults:
            kept = _keep(request, form, roster)
            if kept is not None:
                return redirect("console:user_import_run", kept.pk)
    status = 400 if form.errors or (roster and roster.faults) else 200
    context = {"form": form, "roster": roster}
    return render(request, "console/users/import.html", context, status=status)


@require_safe
@require_permission(ACCOUNT_IMPORT)
def run(request: HttpRequest, import_id: UUID) -> HttpResponse:
    """Show what would happen, how far it is, or what is done."""
    page = show_import(importing.find_import(import_id, by=_viewer(request)))
    response = render(request, "console/users/import_run.html", {"page": page})
    if page.is_running:
        response.headers["Refresh"] = REFRESH_S
    return response


@require_POST
@require_permission(ACCOUNT_IMPORT)
@require_recent_sign_in
def begin(request: HttpRequest, import_id: UUID) -> HttpResponse:
    """Do it, or go on with what was stopped."""

    def act(kept: AccountImport) -> None:
        importing.begin_import(kept, by=_viewer(request))
        transaction.on_commit(partial(importing.start_thread, kept))

    return _done(request, import_id, act)


@require_POST
@require_permission(ACCOUNT_IMPORT)
def stop(request: HttpRequest, import_id: UUID) -> HttpResponse:
    """Stop after the current batch."""
    return _done(request, import_id, lambda kept: importing.stop_import(kept, by=_viewer(request)))


@require_POST
@require_permission(ACCOUNT_IMPORT)
def drop(request: HttpRequest, import_id: UUID) -> HttpResponse:
    """Forget the file; accounts that were made stay."""
    kept = importing.find_import(import_id, by=_viewer(request))
    try:
        importing.drop_import(kept, by=_viewer(request))
    except ChangeRefused as error:
        messages.error(request, gettext(error.message))
        return redirect("console:user_import_run", import_id)
    return redirect("console:users")


@require_POST
@require_permission(ACCOUNT_IMPORT)
@require_recent_sign_in
def take_list(request: HttpRequest, import_id: UUID) -> HttpResponse:
    """Give, once, what opens the new accounts."""
    kept = importing.find_import(import_id, by=_viewer(request))
    try:
        handed = importing.take_list(kept, by=_viewer(request))
    except ChangeRefused as error:
        messages.error(request, gettext(error.message))
        return redirect("console:user_import_run", import_id)
    headings = [gettext("User name"), gettext("Name"), gettext("Department"), gettext("Opens with")]
    rows = ([*_names(each.account), _opens_with(request, each)] for each in handed)
    return _file(write_sheet(headings, rows), "new-accounts.csv")


@require_POST
@require_permission(ACCOUNT_IMPORT)
@require_recent_sign_in
def export(request: HttpRequest) -> HttpResponse:
    """Give the people that the list is narrowed to as a file."""
    viewer, wanted = _viewer(request), ListForm(request.POST).wanted()
    importing.record_export(by=viewer)
    headings = ["login", "name", "department", "role", "state", "last_login"]
    rows = (_exported(account) for account in matching(viewer.tenant_id, wanted).iterator(2000))
    return _file(write_sheet(headings, rows), "users.csv")


def _read(request: HttpRequest, form: ImportForm) -> Roster | None:
    tenant = _viewer(request).tenant
    if tenant is None:
        return None
    try:
        return read_roster(form.cleaned_data["file"].read(), tenant=tenant)
    except ValidationError as error:
        form.add_error("file", error)
        return None


def _keep(request: HttpRequest, form: ImportForm, roster: Roster) -> AccountImport | None:
    try:
        return importing.keep_import(roster.lines, way=form.way(), by=_viewer(request))
    except ChangeRefused as error:
        form.add_error(None, gettext(error.message))
        return None


def _done(request: HttpRequest, import_id: UUID, act: Callable[[AccountImport], None]) -> HttpResponse:
    kept = importing.find_import(import_id, by=_viewer(request))
    try:
        act(kept)
    except ChangeRefused as error:
        messages.error(request, gettext(error.message))
    return redirect("console:user_import_run", import_id)


def _opens_with(request: HttpRequest, handed: Handed) -> str:
    if handed.invitation is None:
        return handed.password
    path = reverse("account_invited", args=[handed.invitation.account_id, handed.invitation.token])
    return request.build_absolute_uri(path)


def _names(account: User) -> list[str]:
    return [account.login_name, account.display_name, account.department]


def _exported(account: User) -> list[str]:
    last = localtime(account.last_login).strftime("%Y-%m-%d %H:%M") if account.last_login else ""
    return [*_names(account), account.role, state_of(account).value, last]


def _file(data: bytes, name: str) -> HttpResponse:
    response = HttpResponse(data, content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _viewer(request: HttpRequest) -> User:
    return cast(User, request.user)
