"""Show people how they can sign in, and let them link and unlink the identities that they have elsewhere.

To link one, the person proves at the provider that it is theirs, comes back, and confirms what they see: somebody who
was tricked into following a link confirms nothing.
"""

from __future__ import annotations

from typing import cast
from uuid import UUID

from allauth.socialaccount.providers.base import AuthProcess
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.errors import ChangeRefused
from accounts.linking import identities_of, link_identity, unlink_identity
from accounts.models import User
from accounts.provider_models import Identity, IdentityProvider
from accounts.providers import enabled_providers
from accounts.recent import require_recent_sign_in
from accounts.sso.completing import LINK, take_pending_link
from accounts.sso.views import send
from accounts.sso.ways import KINDS
from common.errors import NotFound


@require_safe
def identities(request: HttpRequest) -> HttpResponse:
    """List the identities of the person's account, and the providers where they have none."""
    account = cast(User, request.user)
    linked = identities_of(account)
    taken = {identity.provider_id for identity in linked}
    context = {
        "identities": linked,
        "others": [each for each in _own_providers(account) if each.pk not in taken],
    }
    return render(request, "account/identities.html", context)


@require_safe
def add(request: HttpRequest, provider_id: UUID) -> HttpResponse:
    """Send the person to a provider of their organisation, to prove who they are there."""
    return _prove(request, _find(cast(User, request.user), provider_id))


@require_recent_sign_in
def _prove(request: HttpRequest, row: IdentityProvider) -> HttpResponse:
    return send(request, row, process=AuthProcess.CONNECT, next_url=None, account=str(request.user.pk))


@require_http_methods(["GET", "HEAD", "POST"])
@require_recent_sign_in
def link(request: HttpRequest) -> HttpResponse:
    """Ask whether the identity that was just proved is to be linked, and link it."""
    pending = take_pending_link(request)
    if pending is None:
        return redirect("identities")
    account = cast(User, request.user)
    row = _find(account, UUID(pending.provider))
    if request.method != "POST":
        return render(request, "account/identity_link.html", {"provider": row, "name": pending.name})
    del request.session[LINK]
    try:
        link_identity(account, provider=row, subject=pending.subject, by=account, name_there=pending.name)
    except ChangeRefused as error:
        messages.error(request, gettext(error.message))
    else:
        messages.success(request, gettext("The identity is linked. You can sign in with it from now on."))
    return redirect("identities")


@require_POST
def unlink(request: HttpRequest, identity_id: UUID) -> HttpResponse:
    """Unlink one of the person's own identities, which ends all their sessions. Raises NotFound for any other's."""
    account = cast(User, request.user)
    found = next((each for each in identities_of(account) if each.pk == identity_id), None)
    if found is None:
        raise NotFound
    return _unlink(request, found)


@require_recent_sign_in
def _unlink(request: HttpRequest, identity: Identity) -> HttpResponse:
    try:
        unlink_identity(identity, by=cast(User, request.user))
    except ChangeRefused:
        messages.error(request, gettext("This is your only way to sign in. Link another one first."))
    return redirect("identities")


def _own_providers(account: User) -> list[IdentityProvider]:
    return enabled_providers(account.tenant, *KINDS) if account.tenant else []


def _find(account: User, provider_id: UUID) -> IdentityProvider:
    found = next((each for each in _own_providers(account) if each.pk == provider_id), None)
    if found is None:
        raise NotFound
    return found
