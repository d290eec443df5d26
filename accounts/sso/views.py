"""Send people to their organisation's page, take them back, and hear when they have left there."""

from __future__ import annotations

from allauth.account.adapter import get_adapter
from allauth.account.utils import get_next_redirect_url
from allauth.socialaccount.providers.base import AuthProcess
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseNotAllowed
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.errors import ProviderAway
from accounts.provider_models import IdentityProvider, ProviderKind
from accounts.sso import cas, oidc
from accounts.sso.addresses import origin_of
from accounts.sso.cas_protocol import CasRefused
from accounts.sso.completing import refuse, show_refusal
from accounts.sso.discovery import ProviderFault
from accounts.sso.leaving import end_by_frame, end_by_logout_request, end_by_logout_token, leaving_url
from accounts.sso.oidc_settings import OidcSettings
from accounts.sso.rates import LOGOUTS, STARTS, hold_pace
from accounts.sso.tokens import TokenRefused
from accounts.sso.ways import find_way
from common.errors import NotFound

REMEMBERED_S = 365 * 86_400
ORGANISATION_COOKIE = "portal_organisation"


@login_not_required
@require_POST
def find_organisation(request: HttpRequest) -> HttpResponse:
    """Go to the address of the organisation that was typed in; one that cannot be a code leads back."""
    code = request.POST.get("organisation", "").strip().casefold()
    if not code or len(code) > 32 or not code.replace("-", "").isalnum() or not code.isascii():
        return redirect("account_login")
    next_url = get_next_redirect_url(request)
    query = {"next": next_url} if next_url else None
    return redirect(reverse("organisation_door", kwargs={"organisation": code}, query=query))


@login_not_required
@require_safe
def start(request: HttpRequest, organisation: str, code: str) -> HttpResponse:
    """Send the person to the provider, and remember the organisation."""
    hold_pace(request, STARTS, what="start")
    row = find_way(organisation, code)
    response = send(request, row, process=AuthProcess.LOGIN, next_url=get_next_redirect_url(request))
    remember_organisation(response, organisation)
    return response


def send(
    request: HttpRequest, row: IdentityProvider, *, process: str, next_url: str | None, **kept: str
) -> HttpResponse:
    """Send the person to the provider; where it cannot be asked where to, say so."""
    provider = (cas.CasProvider if row.kind == ProviderKind.CAS else oidc.OidcProvider)(request, row)
    try:
        response: HttpResponse = provider.send(request, process=process, next_url=next_url, **kept)
    except OAuth2Error:
        return show_refusal(request, row, ProviderAway())
    return response


@login_not_required
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def callback(request: HttpRequest, organisation: str, code: str) -> HttpResponse:
    """Take the person back; a CAS server posts here what the person's sign-out there means."""
    row = find_way(organisation, code)
    if request.method == "POST":
        return _hear_logout(request, row) if row.kind == ProviderKind.CAS else _no_post()
    receive = cas.receive_answer if row.kind == ProviderKind.CAS else oidc.receive_answer
    try:
        return receive(request, row)
    except (PermissionDenied, CasRefused, OAuth2Error):
        return refuse(request, row)


@login_not_required
@csrf_exempt
@require_POST
def logout(request: HttpRequest, organisation: str, code: str) -> HttpResponse:
    """Hear from a provider itself that somebody has signed out there."""
    return _hear_logout(request, find_way(organisation, code))


@login_not_required
@require_safe
def logout_frame(request: HttpRequest, organisation: str, code: str) -> HttpResponse:
    """Hear from a provider through a frame in the browser that somebody has signed out there, if it may say so."""
    row = find_way(organisation, code)
    hold_pace(request, LOGOUTS, what="logout")
    if not end_by_frame(row, issuer=request.GET.get("iss", ""), session=request.GET.get("sid", "")):
        raise NotFound
    response = HttpResponse("<!doctype html><title>-</title>")
    response.xframe_options_exempt = True
    response._csp_replace = {"frame-ancestors": [origin_of(OidcSettings.of(row.settings).issuer)]}  # type: ignore[attr-defined]
    return response


def _hear_logout(request: HttpRequest, row: IdentityProvider) -> HttpResponse:
    """End what the provider has ended. 400 for what is not believed; whether a session was there is not told."""
    hold_pace(request, LOGOUTS, what="logout")
    try:
        if row.kind == ProviderKind.CAS:
            end_by_logout_request(row, request.POST.get("logoutRequest", ""))
        else:
            end_by_logout_token(row, request.POST.get("logout_token", ""))
    except (CasRefused, TokenRefused, ProviderFault):
        return HttpResponseBadRequest()
    return HttpResponse()


@login_not_required
@require_safe
def left(request: HttpRequest, organisation: str, code: str) -> HttpResponse:
    """Say that the person is signed out here, and offer to end the session at the provider, too."""
    row = find_way(organisation, code)
    if request.user.is_authenticated:
        return redirect(get_adapter(request).get_login_redirect_url(request))
    url = leaving_url(request, row)
    return render(
        request, "account/sso_left.html", {"provider": row, "url": url, "organisation": organisation}
    )


def remember_organisation(response: HttpResponse, organisation: str) -> None:
    """Let the sign-in page of this browser begin with the organisation."""
    response.set_cookie(
        ORGANISATION_COOKIE,
        organisation.strip().casefold()[:32],
        max_age=REMEMBERED_S,
        httponly=True,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )


def _no_post() -> HttpResponse:
    return HttpResponseNotAllowed(["GET", "HEAD"])
