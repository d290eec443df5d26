"""Let people show once more that it is them, before something sensitive."""

from __future__ import annotations

from typing import Any, cast

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import record_authentication
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import urlencode
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts.guessing import check_factor
from accounts.models import User
from accounts.password_policy import LONGEST
from accounts.provider_models import Identity, ProviderKind
from accounts.security_keys import begin_asking
from accounts.sso.ways import Way, address_of


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest) -> HttpResponse:
    """Ask for the password or a second factor, or lead through the identity provider once more; then lead back.

    A wrong answer counts as a failed sign-in. The session goes on under a new key.
    """
    account = cast(User, request.user)
    asked = request.POST.get("next") or request.GET.get("next")
    way_back: str = asked if asked and get_adapter(request).is_safe_url(asked) else "/"
    if request.method == "POST" and _is_person(request, account):
        request.session.cycle_key()
        return redirect(way_back)
    identities = _identities(account)
    context: dict[str, Any] = {
        "next": way_back,
        "takes_password": _takes_password(account, identities),
        "takes_code": account.has_second_factor,
        "options": begin_asking(request, account) if account.has_second_factor else None,
        "ways": _ways(identities, next_path=way_back),
        "is_wrong": request.method == "POST",
    }
    return render(request, "account/confirm.html", context)


def _is_person(request: HttpRequest, account: User) -> bool:
    password = request.POST.get("password", "")[: LONGEST + 1]
    if not password:
        return account.has_second_factor and check_factor(request, account)
    if get_adapter(request).authenticate(request, username=account.handle, password=password) != account:
        return False
    record_authentication(request, account, "password", reauthenticated=True)
    return True


def _identities(account: User) -> list[Identity]:
    """Return the person's identities at providers that are switched on; operators have none."""
    if account.tenant_id is None:
        return []
    rows = Identity.objects.filter(account=account, provider__is_enabled=True)
    return list(rows.select_related("provider__tenant"))


def _takes_password(account: User, identities: list[Identity]) -> bool:
    return account.has_usable_password() or any(
        each.provider.kind == ProviderKind.LDAP for each in identities
    )


def _ways(identities: list[Identity], *, next_path: str) -> list[Way]:
    query = urlencode({"next": next_path})
    return [
        Way(
            name=each.provider.name,
            kind=each.provider.kind,
            url=f"{address_of(each.provider, 'sso_start')}?{query}",
        )
        for each in identities
        if each.provider.kind != ProviderKind.LDAP
    ]
