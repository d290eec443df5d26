"""Show the people whom an administrator manages, and change what they may do: parse, call one service, respond."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import cast
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from accounts import administration
from accounts.errors import ChangeRefused
from accounts.linking import identities_of, link_identity, typed_subject, unlink_identity
from accounts.models import User
from accounts.provider_models import IdentityProvider
from accounts.recent import require_recent_sign_in
from accounts.roles import ACCOUNT_MANAGE
from accounts.second_factor import reset_second_factor
from accounts.tokens import list_tokens, revoke_token
from accounts.unlocking import unlock_account
from common.access import require_permission
from common.errors import BadRequest, NotFound
from console.user_forms import DetailsForm, LinkForm, ListForm, RoleForm
from console.user_matrix import role_matrix
from console.users import managed_account, person_page, users_page


@require_safe
@require_permission(ACCOUNT_MANAGE)
def users(request: HttpRequest) -> HttpResponse:
    """Show a page of the list."""
    form = ListForm(request.GET)
    wanted = form.wanted()
    cursor = {name: form.cleaned_data.get(name) for name in ("after", "before")}
    viewer = _viewer(request)
    context = {
        "page": users_page(viewer, wanted=wanted, **cursor),
        "form": form,
        "matrix": role_matrix(viewer.tenant) if viewer.tenant else None,
    }
    return render(request, "console/users/list.html", context)


@require_safe
@require_permission(ACCOUNT_MANAGE)
def user(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Show one person."""
    return _person(request, managed_account(_viewer(request), account_id))


@require_POST
@require_permission(ACCOUNT_MANAGE)
def edit(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Change what a person is shown by."""
    account, form = managed_account(_viewer(request), account_id), DetailsForm(request.POST)
    if not form.is_valid():
        return _person(request, account, form=form, status=400)
    act = partial(administration.edit_account, account, by=_viewer(request), **form.cleaned_data)
    return _done(request, account, act, gettext("Saved."))


@require_POST
@require_permission(ACCOUNT_MANAGE)
@require_recent_sign_in
def role(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Give a person another role."""
    account, form = managed_account(_viewer(request), account_id), RoleForm(request.POST)
    if not form.is_valid():
        raise BadRequest
    act = partial(administration.change_role, account, role=form.cleaned_data["role"], by=_viewer(request))
    return _done(request, account, act, gettext("The role is changed. What was open has ended."))


@require_POST
@require_permission(ACCOUNT_MANAGE)
@require_recent_sign_in
def disable(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Shut a person out."""
    account = managed_account(_viewer(request), account_id)
    act = partial(administration.disable_account, account, by=_viewer(request))
    return _done(request, account, act, gettext("The account is disabled. What was open has ended."))


@require_POST
@require_permission(ACCOUNT_MANAGE)
@require_recent_sign_in
def enable(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Let a person in again."""
    account = managed_account(_viewer(request), account_id)
    act = partial(administration.enable_account, account, by=_viewer(request))
    return _done(request, account, act, gettext("The account is enabled."))


@require_POST
@require_permission(ACCOUNT_MANAGE)
def end_sessions(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Sign a person out everywhere."""
    account = managed_account(_viewer(request), account_id)
    act = partial(administration.sign_out_everywhere, account, by=_viewer(request))
    return _done(request, account, act, gettext("Signed out everywhere."))


@require_POST
@require_permission(ACCOUNT_MANAGE)
@require_recent_sign_in
def unlock(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Forget somebody's failed sign-ins."""
    account = managed_account(_viewer(request), account_id)
    act = partial(unlock_account, account, by=_viewer(request))
    return _done(request, account, act, gettext("The account is unlocked."))


@require_POST
@require_permission(ACCOUNT_MANAGE)
@require_recent_sign_in
def reset_factors(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Take the second factors of somebody away who has lost them."""
    account = managed_account(_viewer(request), account_id)
    act = partial(reset_second_factor, account, by=_viewer(request))
    return _done(
        request, account, act, gettext("The second factors are taken away. What was open has ended.")
    )


@require_POST
@require_permission(ACCOUNT_MANAGE)
@require_recent_sign_in
def link(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Let somebody whom a provider knows sign in as this account."""
    viewer, form = _viewer(request), LinkForm(request.POST)
    account = managed_account(viewer, account_id)
    if viewer.tenant_id is None:
        raise NotFound
    if not form.is_valid():
        raise BadRequest
    provider = IdentityProvider.objects.filter(pk=form.cleaned_data["provider"]).first()
    if provider is None:
        raise NotFound
    subject = typed_subject(provider, form.cleaned_data["subject"])
    act = partial(link_identity, account, provider=provider, subject=subject, by=viewer)
    return _done(request, account, act, gettext("Linked."))


@require_POST
@require_permission(ACCOUNT_MANAGE)
@require_recent_sign_in
def unlink(request: HttpRequest, account_id: UUID, identity_id: UUID) -> HttpResponse:
    """Part an identity from an account."""
    account = managed_account(_viewer(request), account_id)
    identity = next((each for each in identities_of(account) if each.pk == identity_id), None)
    if identity is None:
        raise NotFound
    act = partial(unlink_identity, identity, by=_viewer(request))
    return _done(request, account, act, gettext("Unlinked, and signed out everywhere."))


@require_POST
@require_permission(ACCOUNT_MANAGE)
def revoke(request: HttpRequest, account_id: UUID, token_id: UUID) -> HttpResponse:
    """End a token of somebody."""
    account = managed_account(_viewer(request), account_id)
    if token_id not in {token.pk for token in list_tokens(account)}:
        raise NotFound
    revoke_token(token_id, by=_viewer(request))
    messages.success(request, gettext("The token is revoked; it is refused from now on."))
    return redirect("console:user", account.pk)


def _done(request: HttpRequest, account: User, act: Callable[[], object], said: str) -> HttpResponse:
    """Do the act and say so, or say why it was refused."""
    try:
        act()
    except ChangeRefused as error:
        messages.error(request, gettext(error.message))
    else:
        messages.success(request, said)
    return redirect("console:user", account.pk)


def _person(
    request: HttpRequest, account: User, *, form: DetailsForm | None = None, status: int = 200
) -> HttpResponse:
    shown = {"display_name": account.display_name, "department": account.department}
    context = {"page": person_page(account, _viewer(request)), "form": form or DetailsForm(initial=shown)}
    return render(request, "console/users/person.html", context, status=status)


def _viewer(request: HttpRequest) -> User:
    return cast(User, request.user)
