"""Say what a person who has signed in must do before anything else is possible.

Pages lead there; sockets and the API are refused, since `read_live_account` asks too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect

from accounts.models import User


@dataclass(frozen=True, slots=True)
class Duty:
    """Something to be done first: the page for it, and the other pages that it takes."""

    page: str
    also: frozenset[str] = frozenset()


CHANGE_PASSWORD = Duty("account_password")
# Whatever is to be done, people can leave, and read it in their own language.
ALWAYS = frozenset({"account_logout", "set_language", "healthz", "readyz"})


def duty_of(account: User) -> Duty | None:
    """Return what the account has to do first."""
    if account.must_change_password:
        return CHANGE_PASSWORD
    return None


class DutyMiddleware:
    """Lead everybody who has a duty to its page, whatever page they asked for."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Handle one request."""
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, _view: object, _args: object, _kwargs: Any
    ) -> HttpResponseBase | None:
        """Redirect to the duty's page from every other; runs after the check that somebody has signed in."""
        if not isinstance(request.user, User):
            return None
        duty = duty_of(request.user)
        here = request.resolver_match.view_name if request.resolver_match else ""
        if duty is None or here in ALWAYS or here == duty.page or here in duty.also:
            return None
        return redirect(duty.page)
