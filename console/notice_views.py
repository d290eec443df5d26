"""Draft the notice, show it as people will see it, and publish it by a second person."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import cast

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.errors import ChangeRefused
from accounts.models import User
from accounts.recent import require_recent_sign_in
from accounts.roles import NOTICE_APPROVE, NOTICE_EDIT, NOTICE_VIEW
from common.access import PermissionMissing, require_permission
from common.errors import BadRequest, NotFound
from consent import drafts
from consent.models import BODY_CHARS, SUMMARY_CHARS, ConsentNotice
from consent.services import NoticeText, current_version, keeping_shown
from console.model_forms import ReasonForm
from console.notice_pages import agreed_page, notice_page

MAX_OFFSET_DIGITS = 7


@require_http_methods(["GET", "HEAD", "POST"])
@require_permission(NOTICE_VIEW)
def index(request: HttpRequest) -> HttpResponse:
    """Show versions and draft; keep what was drafted."""
    if request.method != "POST":
        return _page(request)
    account = _account(request)
    if not account.has_permission(NOTICE_EDIT):
        raise PermissionMissing(NOTICE_EDIT)
    texts = _typed(request)
    try:
        return _done(request, partial(drafts.save_draft, texts, by=account), gettext("The draft is saved."))
    except ValidationError as error:
        faults = error.message_dict if hasattr(error, "error_dict") else {"en": error.messages}
        return _page(request, typed=texts, faults=faults, status=400)


@require_safe
@require_permission(NOTICE_VIEW)
def preview(request: HttpRequest, language: str) -> HttpResponse:
    """Show the draft, or what is in force, as people will be asked; nothing on it does anything."""
    draft = drafts.open_draft()
    text = (drafts.texts_of(draft) if draft else drafts.current_texts()).get(language)
    if text is None:
        raise NotFound
    notice = ConsentNotice(
        version=current_version() + 1 if draft else current_version(),
        language=language,
        title=text.title,
        summary=text.summary,
        body=text.body,
    )
    notice.sha256 = notice.digest()
    return render(
        request, "console/notices/preview.html", {"notice": notice, "is_preview": True} | keeping_shown()
    )


@require_safe
@require_permission(NOTICE_VIEW)
def version(request: HttpRequest, number: int) -> HttpResponse:
    """Show what a version changed, and who has agreed to it."""
    text = request.GET.get("from", "0")
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_OFFSET_DIGITS):
        raise BadRequest
    page = agreed_page(number, offset=int(text)) if number <= current_version() else None
    if page is None:
        raise NotFound
    return render(request, "console/notices/version.html", {"page": page})


@require_POST
@require_permission(NOTICE_EDIT)
def submit(request: HttpRequest) -> HttpResponse:
    """Ask for a second person."""
    return _done(
        request, partial(drafts.submit_draft, by=_account(request)), gettext("Submitted for approval.")
    )


@require_POST
@require_permission(NOTICE_EDIT)
def discard(request: HttpRequest) -> HttpResponse:
    """Give the draft up."""
    return _done(
        request, partial(drafts.discard_draft, by=_account(request)), gettext("The draft is discarded.")
    )


@require_POST
@require_permission(NOTICE_APPROVE)
@require_recent_sign_in
def publish(request: HttpRequest) -> HttpResponse:
    """Publish the draft as the second person."""
    act = partial(drafts.publish_draft, by=_account(request))
    return _done(request, act, gettext("Published: everybody is asked anew."))


@require_POST
@require_permission(NOTICE_APPROVE)
def reject(request: HttpRequest) -> HttpResponse:
    """Send the draft back."""
    form = ReasonForm(request.POST)
    if not form.is_valid():
        raise BadRequest
    act = partial(drafts.reject_draft, reason=form.cleaned_data["reason"], by=_account(request))
    return _done(request, act, gettext("Sent back."))


def _typed(request: HttpRequest) -> dict[str, NoticeText]:
    """Return what was typed by language; a language of which nothing was typed is left out."""
    texts = {}
    for language, _label in settings.LANGUAGES:
        parts = [request.POST.get(f"{language}.{name}", "") for name in ("title", "summary", "body")]
        title, summary, body = (part.replace("\r\n", "\n").strip() for part in parts)
        if title or summary or body:
            texts[language] = NoticeText(title, summary, body)
    return texts


def _done(request: HttpRequest, act: Callable[[], object], said: str) -> HttpResponse:
    try:
        act()
    except ChangeRefused as error:
        messages.error(request, gettext(str(error)))
    else:
        messages.success(request, said)
    return redirect("console:notices")


def _page(
    request: HttpRequest,
    *,
    typed: dict[str, NoticeText] | None = None,
    faults: dict[str, list[str]] | None = None,
    status: int = 200,
) -> HttpResponse:
    context = {
        "page": notice_page(_account(request), typed=typed, faults=faults),
        "summary_chars": SUMMARY_CHARS,
        "body_chars": BODY_CHARS,
    }
    return render(request, "console/notices/index.html", context, status=status)


def _account(request: HttpRequest) -> User:
    return cast(User, request.user)
