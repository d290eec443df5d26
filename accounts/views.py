"""Show the sign-in page, sign people out, and say that there is no sign-up."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from allauth.account.adapter import get_adapter
from allauth.account.views import LoginView
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.http import urlencode
from django.views.decorators.http import require_POST

from accounts.models import User
from accounts.provider_models import IdentityProvider
from accounts.sso.completing import SIGNED_IN_BY
from accounts.sso.views import ORGANISATION_COOKIE, remember_organisation
from accounts.sso.ways import address_of, offered_ways
from common.errors import NotFound
from tenants.scope import tenant_scope


class SignInView(LoginView):  # type: ignore[misc]
    """allauth's sign-in page, with the organisation of the address or of last time, and the ways that it offers."""

    @property
    def organisation(self) -> str:
        """Return the code of the organisation that this visit is about; nobody has to know one of this code."""
        typed = self.request.POST.get("organisation")
        remembered = self.request.COOKIES.get(ORGANISATION_COOKIE, "")
        named = self.kwargs.get("organisation") or (remembered if typed is None else typed)
        return str(named).strip().casefold()[:32]

    def get_initial(self) -> dict[str, Any]:
        """Fill in the organisation."""
        return dict(super().get_initial()) | {"organisation": self.organisation}

    def get_context_data(self, **more: Any) -> dict[str, Any]:
        """Add the buttons."""
        context: dict[str, Any] = super().get_context_data(**more)
        next_url = context.get("redirect_field_value")
        is_known = self.request.method != "POST" and bool(self.organisation)
        return context | {
            "organisation_first": not is_known,
            "login_first": is_known,
            "ways": offered_ways(self.organisation),
            "ways_query": f"?{urlencode({'next': next_url})}" if next_url else "",
        }

    def form_valid(self, form: Any) -> HttpResponse:
        """Sign in, and remember the organisation where somebody got in."""
        response: HttpResponse = super().form_valid(form)
        if form.cleaned_data["organisation"]:
            remember_organisation(response, form.cleaned_data["organisation"])
        return response


sign_in = SignInView.as_view()


@login_not_required
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session and go to the sign-in page; a second time does no harm.

    Raises AuditUnavailable where it cannot be recorded. The session is over all the same: who leaves a shared machine
    must be able to.
    """
    there = _provider_of_session(request)
    try:
        get_adapter(request).logout(request)
    finally:
        if not request.session.is_empty():
            request.session.flush()
            request.user = AnonymousUser()
    return redirect(address_of(there, "sso_left") if there else "account_login")


def _provider_of_session(request: HttpRequest) -> IdentityProvider | None:
    """Return the provider through which the person signed in, if one may still be used."""
    provider_id = request.session.get(SIGNED_IN_BY)
    if not provider_id or not isinstance(request.user, User) or request.user.tenant_id is None:
        return None
    with tenant_scope(request.user.tenant_id):
        rows = IdentityProvider.objects.select_related("tenant").filter(is_enabled=True)
        return rows.filter(pk=UUID(provider_id)).first()


@login_not_required
def no_sign_up(_request: HttpRequest) -> HttpResponse:
    """Answer as for any missing page: accounts are given by the organisation. allauth needs the name to exist."""
    raise NotFound
