"""Keep people who have not agreed away from the chat."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from accounts.models import User
from common.errors import ConsentRequired
from consent.services import require_consent

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def consent_required(view: View[P]) -> View[P]:
    """Send people to the notice who have not accepted the current one."""

    @wraps(view)
    def gated(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        try:
            require_consent(cast(User, request.user))
        except ConsentRequired:
            return redirect("consent:gate")
        return view(request, *args, **kwargs)

    return gated
