"""Show the policy pages, and hand to the rule sets what people decide there."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from accounts.roles import POLICY_VIEW
from common.access import require_permission
from common.errors import BadRequest
from console.policy_forms import BenchForm, FindForm
from console.policy_pages import Asked, Bench, policy_page, try_on_bench


@require_safe
@require_permission(POLICY_VIEW)
def rules(request: HttpRequest, code: str = "") -> HttpResponse:
    """Show the rules, and one of them."""
    return _page(request, code)


@sensitive_post_parameters("text")
@require_POST
@require_permission(POLICY_VIEW)
def bench(request: HttpRequest) -> HttpResponse:
    """Try a text against the rules: as a whole page, or as the parts that a script puts into it.

    The text comes in the body and goes back in the answer; nothing keeps it in between.
    """
    form = BenchForm(request.POST)
    if not form.is_valid():
        raise BadRequest
    tried = try_on_bench(form.cleaned_data["text"], stage=form.cleaned_data["stage"])
    if form.cleaned_data["part"]:
        return _unkept(render(request, "console/policy/verdict.html", {"bench": tried}))
    return _unkept(_page(request, form.cleaned_data["rule"], tried=tried))


def _page(request: HttpRequest, code: str, *, tried: Bench | None = None) -> HttpResponse:
    form = FindForm(request.GET)
    form.is_valid()
    found = form.cleaned_data
    asked = Asked(wanted=found.get("q", ""), kind=found.get("kind", ""), code=code)
    page = policy_page(_tenant_id(request), asked, bench=tried)
    return render(request, "console/policy/index.html", {"page": page})


def _unkept(response: HttpResponse) -> HttpResponse:
    """Return the response as one that no browser and no proxy keeps."""
    response["Cache-Control"] = "no-store"
    return response


def _tenant_id(request: HttpRequest) -> UUID:
    return cast(UUID, cast(User, request.user).tenant_id)
