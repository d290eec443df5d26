"""Show the chat pages."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from accounts.lockout import request_ip
from accounts.models import User
from accounts.roles import CHAT_USE, LANDING_PAGES
from chat import services
from chat.conversations import settle_interrupted
from chat.forms import ClearForm, RenameForm
from chat.limits import limits_shown, read_persistence
from chat.listing import Place, list_conversations
from chat.models import Conversation, Message
from chat.permissions import own_conversation
from chat.presentation import group_by_day, show_conversation, show_messages, used_tokens
from chat.runtime import runtime
from common.access import require_permission
from common.errors import BadRequest
from consent.gate import consent_required
from consent.services import list_records
from tenants.parameters import Persistence


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Show a new chat to those who chat, and send everybody else to the page of their role."""
    account = cast(User, request.user)
    if not account.has_permission(CHAT_USE):
        return redirect(LANDING_PAGES[account.role])
    return _new_chat(request)


@consent_required
def _new_chat(request: HttpRequest) -> HttpResponse:
    return render(request, "chat/chat.html", _page(request, conversation=None, messages=[]))


@require_safe
@require_permission(CHAT_USE)
@consent_required
def conversation(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    """Show one of the person's own conversations."""
    shown = own_conversation(cast(User, request.user), conversation_id)
    messages = list(Message.objects.filter(conversation=shown).select_related("conversation"))
    settle_interrupted(messages, live=runtime().turns.live_answers())
    return render(request, "chat/chat.html", _page(request, conversation=shown, messages=messages))


@require_POST
@require_permission(CHAT_USE)
@consent_required
def rename(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    """Rename one of the person's own conversations."""
    shown = own_conversation(cast(User, request.user), conversation_id)
    form = RenameForm(request.POST)
    if not form.is_valid():
        raise BadRequest
    services.rename_conversation(shown, title=form.cleaned_data["title"], ip=request_ip(request))
    return redirect("chat:conversation", conversation_id)


@require_POST
@require_permission(CHAT_USE)
@consent_required
def delete(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    """Delete one of the person's own conversations."""
    shown = own_conversation(cast(User, request.user), conversation_id)
    services.delete_conversation(shown, ip=request_ip(request))
    runtime().forget_conversation_soon(conversation_id, account_id=cast(User, request.user).id)
    return redirect("chat:home")


@require_safe
@require_permission(CHAT_USE)
def privacy(request: HttpRequest) -> HttpResponse:
    """Show what the portal keeps of the person, and let them take it back; consent is not needed to leave."""
    return _privacy_page(request, form_error="")


@require_POST
@require_permission(CHAT_USE)
def clear(request: HttpRequest) -> HttpResponse:
    """Erase every conversation of the person who typed the word."""
    form = ClearForm(request.POST)
    if not form.is_valid() or form.cleaned_data["confirm"].strip().casefold() != gettext("delete").casefold():
        return _privacy_page(request, form_error=gettext("Type the word exactly as it is shown."), status=400)
    account = cast(User, request.user)
    services.erase_conversations(account, ip=request_ip(request))
    runtime().forget_person_soon(account.id)
    return redirect("chat:privacy")


def _privacy_page(request: HttpRequest, *, form_error: str, status: int = 200) -> HttpResponse:
    account = cast(User, request.user)
    context = {
        "consents": list_records(account),
        "conversation_count": Conversation.objects.filter(owner_id=account.id).count(),
        "clear_word": gettext("delete"),
        "form_error": form_error,
    }
    return render(request, "chat/privacy.html", context, status=status)


def _page(
    request: HttpRequest, *, conversation: Conversation | None, messages: list[Message]
) -> dict[str, Any]:
    account, process = cast(User, request.user), runtime()
    tenant_id = cast(UUID, account.tenant_id)
    persistence = read_persistence(tenant_id)
    listed = list_conversations(account, before=Place.read(request.GET.get("before", "")))
    model = process.serving.model_of(account.tenant_id)
    running = process.turns.running_in(conversation.id, account_id=account.id) if conversation else None
    return {
        "conversation": show_conversation(conversation) if conversation else None,
        "temporary": conversation is None and _is_temporary(request, persistence),
        "persistence": persistence,
        "entries": show_messages(messages),
        "groups": group_by_day(listed.conversations, current=conversation.id if conversation else None),
        "listed": listed,
        "model": model,
        "pool_state": process.state_for(account.tenant_id),
        "limits": limits_shown(tenant_id) | {"context_tokens": model.context_tokens},
        "running_turn": str(running.id) if running else "",
        "used_tokens": used_tokens(messages),
    }


def _is_temporary(request: HttpRequest, persistence: Persistence) -> bool:
    """Return whether a new chat is temporary: as the person asks, within what the organisation keeps."""
    if persistence is Persistence.NEVER:
        return True
    asked = request.GET.get("temporary")
    return asked == "1" or (persistence is Persistence.TEMPORARY and asked != "0")
