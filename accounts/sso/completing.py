"""Let somebody in whom a provider has vouched for, through allauth's stages of signing in, or say why not."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any, cast
from uuid import UUID

from allauth.account.adapter import get_adapter as get_account_adapter
from allauth.account.internal.flows.login import record_authentication
from allauth.account.utils import perform_login
from allauth.socialaccount.providers.base import AuthProcess
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext

from accounts.arriving import Arrival, receive
from accounts.errors import SignInRefused
from accounts.lockout import request_ip
from accounts.models import User
from accounts.provider_models import IdentityProvider
from accounts.session_store import SessionStore
from accounts.sso.logout import mark_of, remember_session
from audit.models import Outcome
from audit.services import record_event
from common.errors import PortalError
from tenants.scope import tenant_scope

CAME_FROM = "sso_came_from"
SIGNED_IN_BY = "sso_signed_in_by"
LINK = "sso_link"
LINK_KEPT_S = 600


@dataclass(frozen=True, slots=True)
class Proof:
    """What a provider has proved; `mark` is by what it will name the session when it ends."""

    arrival: Arrival
    mark: str = ""


@dataclass(frozen=True, slots=True)
class PendingLink:
    """An identity that a signed-in person has just proved to be theirs, and has not yet confirmed to link."""

    provider: str
    account: str
    subject: str
    name: str
    at: float


def complete(
    request: HttpRequest, provider: IdentityProvider, proof: Proof, *, state: dict[str, Any]
) -> HttpResponse:
    """Sign the person in, or keep the identity for the person who wants to link it."""
    if state.get("process") == AuthProcess.CONNECT:
        return _ask_to_link(request, provider, proof.arrival, account=str(state.get("account")))
    try:
        account = receive(provider, proof.arrival)
    except PortalError as error:
        return show_refusal(request, provider, error)
    if request.user.is_authenticated and request.user.pk != account.pk:
        get_account_adapter(request).logout(request)
    request.session[CAME_FROM] = {
        "tenant": str(provider.tenant_id),
        "provider": str(provider.pk),
        "account": str(account.pk),
        "mark": mark_of(proof.mark),
    }
    record_authentication(request, account, "socialaccount", provider=provider.code)
    response: HttpResponse = perform_login(request, account, redirect_url=state.get("next"))
    return response


def bind_session(request: HttpRequest, account: User) -> None:
    """Bind a session that has just begun to the provider it came from, if it did; after every second factor."""
    if not hasattr(request, "session"):  # somebody signs in at the terminal
        return
    came = request.session.pop(CAME_FROM, None)
    request.session.pop(SIGNED_IN_BY, None)
    if came is None or came["account"] != str(account.pk):
        return
    with tenant_scope(UUID(came["tenant"])):
        provider = IdentityProvider.objects.select_related("tenant").filter(pk=came["provider"]).first()
        if provider is not None:
            key = str(cast(SessionStore, request.session).id)
            remember_session(provider, account, session_key=key, mark=came["mark"])
            request.session[SIGNED_IN_BY] = came["provider"]


def refuse(request: HttpRequest, provider: IdentityProvider) -> HttpResponse:
    """Answer what was not believed: recorded, and without a word of what was wrong."""
    record_event(
        action="auth.login_failed",
        tenant_id=provider.tenant_id,
        actor=None,
        object_type="provider",
        object_id=str(provider.pk),
        outcome=Outcome.REFUSED,
        status=401,
        ip=request_ip(request),
    )
    return show_refusal(request, provider, None)


def show_refusal(request: HttpRequest, provider: IdentityProvider, error: PortalError | None) -> HttpResponse:
    """Show on the sign-in page's frame why nobody was signed in."""
    shown = None if error is None or isinstance(error, SignInRefused) else gettext(error.message)
    context = {"provider": provider, "reason": shown, "organisation": provider.tenant.code}
    status = error.http_status if error else 401
    return render(request, "account/sso_refused.html", context, status=status)


def take_pending_link(request: HttpRequest) -> PendingLink | None:
    """Return what waits for the confirmation of the person who is signed in, if it is still fresh."""
    kept = request.session.get(LINK)
    pending = PendingLink(**kept) if isinstance(kept, dict) else None
    if pending is None or pending.account != str(request.user.pk) or time.time() - pending.at > LINK_KEPT_S:
        return None
    return pending


def _ask_to_link(
    request: HttpRequest, provider: IdentityProvider, arrival: Arrival, *, account: str
) -> HttpResponse:
    if str(request.user.pk) != account or getattr(request.user, "tenant_id", None) != provider.tenant_id:
        return refuse(request, provider)
    pending = PendingLink(
        provider=str(provider.pk),
        account=account,
        subject=arrival.subject,
        name=arrival.login_name,
        at=time.time(),
    )
    request.session[LINK] = asdict(pending)
    return redirect("identities_link")
