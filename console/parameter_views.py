"""Set system parameters: administrators those of their organisation, operators those of the installation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import cast
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import parameters
from accounts.errors import ChangeRefused, ReasonMissing, ValueImpossible
from accounts.models import User
from accounts.recent import require_recent_sign_in
from accounts.roles import PARAMETER_APPROVE, PARAMETER_EDIT, PARAMETER_VIEW
from common.access import PermissionMissing, require_permission
from common.errors import BadRequest
from console.fixed_settings import fixed_settings
from console.model_forms import ReasonForm
from console.parameter_forms import ParameterForm, read_parameters
from console.parameter_pages import parameter_page, show_history
from tenants.models import REASON_CHARS, ChangeState, ParameterChange, Tenant
from tenants.parameters import Keeper, Scope, parameters_of

HISTORY_PAGE = 100


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(PARAMETER_VIEW)
def index(request: HttpRequest) -> HttpResponse:
    """Show the parameters; take what was changed."""
    if request.method != "POST":
        return _page(request)
    account = _account(request)
    if not account.has_permission(PARAMETER_EDIT):
        raise PermissionMissing(PARAMETER_EDIT)
    form = read_parameters(request.POST, parameters_of(scope=_scope(account), keeper=_keeper(account)))
    save = partial(parameters.set_parameters, form.wanted, by=account, tenant=account.tenant)
    return save_parameters(
        request,
        form,
        save=lambda: save(reason=form.reason),
        page=partial(_page, request),
        to=reverse("console:parameters"),
    )


@require_safe
@require_permission(PARAMETER_VIEW)
def history(request: HttpRequest) -> HttpResponse:
    """Show every change, the newest first, a hundred at a time."""
    account, before = _account(request), _before(request)
    changes = show_history(
        account, tenant=account.tenant, keeper=_keeper(account), before=before, count=HISTORY_PAGE + 1
    )
    context = {
        "changes": changes[:HISTORY_PAGE],
        "earlier": before + HISTORY_PAGE if len(changes) > HISTORY_PAGE else None,
    }
    return render(request, "console/parameters/history.html", context)


@require_POST
@require_permission(PARAMETER_APPROVE)
@require_recent_sign_in
def approve(request: HttpRequest, change_id: UUID) -> HttpResponse:
    """Put a proposal into force as the second person."""
    act = partial(parameters.approve, change_id, note=_reason(request))
    return _decided(request, act, gettext("Approved: it holds from the next question on."))


@require_POST
@require_permission(PARAMETER_APPROVE)
def reject(request: HttpRequest, change_id: UUID) -> HttpResponse:
    """Reject a proposal, with a reason."""
    return _decided(
        request, partial(parameters.reject, change_id, note=_reason(request)), gettext("Rejected.")
    )


@require_POST
@require_permission(PARAMETER_EDIT)
def withdraw(request: HttpRequest, change_id: UUID) -> HttpResponse:
    """Take one's own proposal back."""
    return _decided(request, partial(parameters.withdraw, change_id), gettext("Withdrawn."))


def save_parameters(
    request: HttpRequest,
    form: ParameterForm,
    *,
    save: Callable[[], list[ParameterChange]],
    page: Callable[..., HttpResponse],
    to: str,
) -> HttpResponse:
    """Save what is wanted and say what came of it, or show the page again with what is wrong."""
    if not form.wanted:
        messages.info(request, gettext("Nothing was changed."))
        return redirect(to)
    try:
        made = save()
    except ValueImpossible as error:
        return page(typed=form, faults=error.faults, error=gettext(str(error)), status=400)
    except ReasonMissing as error:
        return page(typed=form, error=gettext(str(error)), status=400)
    except ChangeRefused as error:
        messages.error(request, gettext(str(error)))
        return redirect(to)
    _say(request, made)
    return redirect(to)


def _say(request: HttpRequest, made: list[ParameterChange]) -> None:
    """Say how many changes hold, and how many wait."""
    waiting = sum(change.state == ChangeState.PROPOSED for change in made)
    if count := len(made) - waiting:
        said = ngettext("%(count)d change holds from now on.", "%(count)d changes hold from now on.", count)
        messages.success(request, said % {"count": count})
    if waiting:
        said = ngettext(
            "%(count)d change waits for a second person.",
            "%(count)d changes wait for a second person.",
            waiting,
        )
        messages.info(request, said % {"count": waiting})
    if not made:
        messages.info(request, gettext("Nothing was changed."))


def _decided(request: HttpRequest, act: Callable[..., None], said: str) -> HttpResponse:
    account = _account(request)
    try:
        act(by=account, tenant=account.tenant)
    except ChangeRefused as error:
        messages.error(request, gettext(str(error)))
    else:
        messages.success(request, said)
    return redirect("console:parameters")


def _page(
    request: HttpRequest,
    *,
    typed: ParameterForm | None = None,
    faults: dict[str, str] | None = None,
    error: str = "",
    status: int = 200,
) -> HttpResponse:
    account = _account(request)
    page = parameter_page(
        account, tenant=account.tenant, keeper=_keeper(account), typed=typed, faults=faults, error=error
    )
    context = {"page": page, "fixed": fixed_settings(), "reason_max_chars": REASON_CHARS}
    return render(request, "console/parameters/index.html", context, status=status)


def _account(request: HttpRequest) -> User:
    return cast(User, request.user)


def _scope(account: User) -> Scope:
    return Scope.INSTALLATION if _tenant(account) is None else Scope.TENANT


def _keeper(account: User) -> Keeper:
    return Keeper.OPERATOR if _tenant(account) is None else Keeper.ADMIN


def _tenant(account: User) -> Tenant | None:
    return account.tenant


def _reason(request: HttpRequest) -> str:
    form = ReasonForm(request.POST)
    if not form.is_valid():
        raise BadRequest
    return str(form.cleaned_data["reason"])


def _before(request: HttpRequest) -> int:
    text = request.GET.get("before", "0")
    if not (text.isascii() and text.isdigit() and len(text) <= 7):
        raise BadRequest
    return int(text)
