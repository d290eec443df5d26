"""Ask for consent, show the notice, take consent back."""

from __future__ import annotations

from typing import cast

from allauth.account.adapter import get_adapter
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.lockout import request_ip
from accounts.models import User
from accounts.roles import CHAT_USE
from common.access import require_permission
from common.errors import BadRequest, ConsentRequired, NotFound
from consent import services
from consent.forms import DecisionForm
from consent.models import ConsentNotice


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(CHAT_USE)
def gate(request: HttpRequest) -> HttpResponse:
    """Show the current notice with the question, and take the answer."""
    notice = services.read_current_notice(language=get_language() or "")
    if request.method == "POST":
        return _decide(request, notice)
    return _show_gate(request, notice)


@require_POST
@require_permission(CHAT_USE)
def withdraw(request: HttpRequest) -> HttpResponse:
    """Take consent back; the next page asks again."""
    services.withdraw_consent(cast(User, request.user), ip=request_ip(request))
    return redirect("consent:gate")


@require_safe
@require_permission(CHAT_USE)
def notice(request: HttpRequest, version: int) -> HttpResponse:
    """Show a published version in full."""
    found = list(ConsentNotice.objects.filter(version=version))
    if not found:
        raise NotFound
    language = get_language() or ""
    shown = min(found, key=lambda each: (each.language != language, each.language))
    records = services.list_records(cast(User, request.user))
    own = next((record for record in records if record.notice_version == version), None)
    return render(request, "consent/notice.html", {"notice": shown, "record": own})


@login_not_required
@require_safe
def declined(request: HttpRequest) -> HttpResponse:
    """Confirm to a person who declined that nothing was kept."""
    return render(request, "consent/declined.html")


def _decide(request: HttpRequest, notice: ConsentNotice) -> HttpResponse:
    form = DecisionForm(request.POST)
    if not form.is_valid():
        raise BadRequest
    account, ip = cast(User, request.user), request_ip(request)
    if form.cleaned_data["decision"] == "decline":
        services.decline_notice(account, notice=notice, ip=ip)
        get_adapter(request).logout(request)
        return redirect("consent:declined")
    if form.cleaned_data["version"] not in (None, notice.version):
        return _show_gate(request, notice)
    try:
        services.accept_notice(account, notice=notice, ip=ip)
    except ConsentRequired:
        return redirect("consent:gate")
    return redirect("chat:home")


def _show_gate(request: HttpRequest, notice: ConsentNotice) -> HttpResponse:
    agreed = [record.notice_version for record in services.list_records(cast(User, request.user))]
    has_changed = bool(agreed) and max(agreed) < notice.version
    context = {"notice": notice, "has_changed": has_changed} | services.keeping_shown()
    return render(request, "consent/gate.html", context)
