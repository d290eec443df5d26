"""Note that sessions are used, and lead people to what they have to do first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect

from accounts.duties import ALWAYS, duty_of
from accounts.models import User
from accounts.rules import rules_for
from accounts.session_store import SessionStore

GetResponse = Callable[[HttpRequest], HttpResponse]


class SessionUseMiddleware:
    """Keep the session of somebody who asks for pages from its idle time-out.

    Pages that ask again by themselves are no use of the portal by a person (`not_a_use`).
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Handle one request."""
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: object, _args: object, _kwargs: Any) -> None:
        """Note the use."""
        is_use = not getattr(view, "is_not_a_use", False)
        if is_use and isinstance(request.user, User) and isinstance(request.session, SessionStore):
            request.session.note_use(rules_for(request.user))


class DutyMiddleware:
    """Lead everybody who has a duty to its page, whatever page they asked for."""

    def __init__(self, get_response: GetResponse) -> None:
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
        session = request.session
        by_provider = isinstance(session, SessionStore) and session.is_by_provider
        duty = duty_of(request.user, by_provider=by_provider)
        here = request.resolver_match.view_name if request.resolver_match else ""
        if duty is None or here in ALWAYS or here == duty.page or here in duty.also:
            return None
        return redirect(duty.page)


def not_a_use(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Mark a view that pages ask for by themselves, again and again: it keeps no session alive."""
    view.is_not_a_use = True  # type: ignore[attr-defined]
    return view
