"""Store turns: open one before the engine runs, close it after. Each is one transaction with its audit event.

A turn is opened with its question and an answer that is still being written; if the server dies in between, the next
start finds that answer and marks it interrupted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

from django.db import transaction

from audit.services import record_event
from chat.models import TITLE_CHARS, Author, Conversation, Message, Status
from chat.quotas import Counted, DailyQuota, count_tokens, give_back, take_turn
from chat.requests import Person, TurnRequest
from chat.turns import TurnEnded
from common import clock
from common.errors import BadRequest, NotFound
from common.threads import in_database_thread
from inference.engine import ChatMessage, ModelInfo
from inference.errors import Busy
from policy.services import ClearedPrompt
from tenants.models import Tenant
from tenants.scope import tenant_scope

# Only what the model has fully or partly said counts as history; a turn that failed or was withdrawn does not.
USABLE = frozenset({Status.COMPLETE, Status.STOPPED, Status.LENGTH})
BUSY_RETRY_MS = 1000
NO_QUOTA = DailyQuota()
REQUEST_ACTIONS = {"send": "chat.request", "regenerate": "chat.regenerate", "edit": "chat.edit"}
END_ACTIONS = {
    Status.COMPLETE: ("chat.complete", "ok", 200),
    Status.LENGTH: ("chat.complete", "ok", 200),
    Status.STOPPED: ("chat.stop", "ok", 499),
    Status.BLOCKED: ("policy.block_output", "refused", 403),
    Status.TIMEOUT: ("chat.timeout", "failed", 504),
    Status.FAILED: ("chat.failed", "failed", 502),
    Status.INTERRUPTED: ("chat.interrupted", "failed", 500),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What a turn builds on, read and checked: the conversation, its usable history, and what the turn replaces."""

    conversation: UUID
    is_new: bool
    temporary: bool
    history: tuple[ChatMessage, ...]
    exchange: UUID
    position: int = 0
    question: str = ""
    kept_prompt: UUID | None = None
    replaced: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedTurn:
    """A turn whose question and audit event are stored; only now may the engine run."""

    person: Person
    past: Past
    prompt_id: UUID
    answer_id: UUID
    question: str
    is_masked: bool
    title: str
    model: ModelInfo
    policy_version: str
    counted: Counted | None = None


def new_past(request: TurnRequest) -> Past:
    """Return what a new conversation builds on: nothing."""
    return Past(
        conversation=uuid4(),
        is_new=True,
        temporary=False,
        history=(),
        exchange=uuid4(),
        question=request.text,
    )


def read_past(person: Person, request: TurnRequest, *, live: frozenset[UUID]) -> Past:
    """Return what the request builds on; `live` are the answers that are being written now.

    Raises NotFound for what is missing or not this person's, Busy where an answer is being written.
    """
    if request.kind == "send":
        messages = _own_messages(person, conversation=request.conversation, live=live)
        return _past(messages, question=request.text, replaced=())
    return _past_of_message(person, request, live=live)


def _past_of_message(person: Person, request: TurnRequest, *, live: frozenset[UUID]) -> Past:
    """Return what is left of the conversation when its last exchange is answered anew or rewritten."""
    target = Message.objects.filter(pk=request.message, conversation__owner_id=person.account_id).first()
    if target is None:
        raise NotFound
    messages = _own_messages(person, conversation=target.conversation_id, live=live)
    wanted = Author.MODEL if request.kind == "regenerate" else Author.PERSON
    current = [message for message in messages if message.exchange == messages[-1].exchange]
    if target not in current or target.author != wanted:
        raise BadRequest
    before = [message for message in messages if message not in current]
    if request.kind == "edit":
        return _past(before, question=request.text, replaced=current)
    question = next(message for message in current if message.author == Author.PERSON)
    answers = [message for message in current if message.author == Author.MODEL]
    return _past(before, question=question.body, replaced=answers, kept_prompt=question)


def _own_messages(person: Person, *, conversation: UUID | None, live: frozenset[UUID]) -> list[Message]:
    messages = list(
        Message.objects.filter(conversation_id=conversation, conversation__owner_id=person.account_id)
        .select_related("conversation")
        .order_by("position", "created_at")
    )
    if not messages:
        raise NotFound
    if any(message.id in live for message in messages):
        raise Busy(retry_after_ms=BUSY_RETRY_MS)
    settle_interrupted(messages, live=live)
    return messages


def _past(
    messages: Sequence[Message],
    *,
    question: str,
    replaced: Sequence[Message],
    kept_prompt: Message | None = None,
) -> Past:
    anchor = (messages or replaced)[-1]
    top = max(message.position for message in (*messages, *replaced))
    return Past(
        conversation=anchor.conversation_id,
        is_new=False,
        temporary=False,
        history=tuple(_usable(messages)),
        exchange=kept_prompt.exchange if kept_prompt else uuid4(),
        position=top + 1,
        question=question,
        kept_prompt=kept_prompt.id if kept_prompt else None,
        replaced=tuple(message.id for message in replaced),
    )


def _usable(messages: Sequence[Message]) -> list[ChatMessage]:
    """Return the exchanges that were answered, in order."""
    exchanges: dict[UUID, list[Message]] = {}
    for message in messages:
        if message.status in USABLE:
            exchanges.setdefault(message.exchange, []).append(message)
    history: list[ChatMessage] = []
    for said in exchanges.values():
        questions = [message.body for message in said if message.author == Author.PERSON]
        answers = [message.body for message in said if message.author == Author.MODEL]
        if questions and answers and answers[-1]:
            history += [ChatMessage("user", questions[-1]), ChatMessage("assistant", answers[-1])]
    return history


@transaction.atomic
def open_turn(
    person: Person,
    *,
    request: TurnRequest,
    past: Past,
    cleared: ClearedPrompt,
    model: ModelInfo,
    quota: DailyQuota = NO_QUOTA,
) -> OpenedTurn:
    """Store the question and record the request; a turn that cannot be recorded does not run.

    Raises AuditUnavailable, and QuotaReached where the organisation has none left for today.
    """
    opened = OpenedTurn(
        person=person,
        past=past,
        prompt_id=past.kept_prompt or uuid4(),
        answer_id=uuid4(),
        question=cleared.text,
        is_masked=bool(cleared.redacted_by),
        title=make_title(cleared.text) if past.is_new and not past.temporary else "",
        model=model,
        policy_version=cleared.policy_version,
        counted=take_turn(person.tenant_id, quota),
    )
    if not past.temporary:
        _insert(opened)
    _record(opened, REQUEST_ACTIONS[request.kind], status=202)
    for action, codes in (
        ("consent.sensitive", cleared.consented_to),
        ("policy.redact", cleared.redacted_by),
        ("policy.flag", cleared.flagged_by),
    ):
        _record_rules(opened, action, codes)
    return opened


def _insert(opened: OpenedTurn) -> None:
    past, tenant_id = opened.past, opened.person.tenant_id
    if past.is_new:
        Conversation(
            id=past.conversation, tenant_id=tenant_id, owner_id=opened.person.account_id, title=opened.title
        ).save(force_insert=True)
    elif not Conversation.objects.filter(pk=past.conversation).update(updated_at=clock.now()):
        raise NotFound  # Deleted by its person since it was read.
    common = {"tenant_id": tenant_id, "conversation_id": past.conversation, "exchange": past.exchange}
    rows = [
        Message(
            id=opened.answer_id,
            position=past.position + 1,
            author=Author.MODEL,
            status=Status.RUNNING,
            body="",
            model_name=opened.model.name,
            model_digest=opened.model.digest,
            **common,
        )
    ]
    if past.kept_prompt is None:
        prompt = Message(id=opened.prompt_id, position=past.position, author=Author.PERSON, **common)
        prompt.status, prompt.body = Status.COMPLETE, opened.question
        rows.insert(0, prompt)
    elif opened.is_masked:
        _mask_kept_prompt(opened, past.kept_prompt)
    Message.objects.bulk_create(rows)


def _mask_kept_prompt(opened: OpenedTurn, prompt: UUID) -> None:
    """Store the question that is answered anew as the rules of now leave it: they may be stricter than before."""
    row = Message(id=prompt, tenant_id=opened.person.tenant_id, conversation_id=opened.past.conversation)
    Message.objects.filter(pk=prompt).update(body=Message._meta.get_field("body").seal(opened.question, row))


@transaction.atomic
def discard_turn(opened: OpenedTurn, *, stopped: bool) -> None:
    """Take back what was stored for a turn that never reached the engine; record it if its person stopped it."""
    give_back(opened.counted)
    if opened.past.is_new:
        Conversation.objects.filter(pk=opened.past.conversation).delete()
    else:
        _drop_new_rows(opened)
    if stopped:
        _record(opened, "chat.stop", status=499)


def _drop_new_rows(opened: OpenedTurn) -> None:
    new = {opened.answer_id} | ({opened.prompt_id} if opened.past.kept_prompt is None else set())
    Message.objects.filter(pk__in=new).delete()


@transaction.atomic
def close_turn(opened: OpenedTurn, ended: TurnEnded) -> None:
    """Store the answer and record how the turn ended. Raises AuditUnavailable; then nothing is stored."""
    if not opened.past.temporary:
        _store_answer(opened, ended)
    count_tokens(opened.counted, (ended.prompt_tokens or 0) + (ended.completion_tokens or 0))
    action, outcome, status = END_ACTIONS[Status(ended.status)]
    _record(
        opened,
        action,
        outcome=outcome,
        status=status,
        duration_ms=ended.total_ms,
        first_token_ms=ended.first_token_ms or None,
        tokens_in=ended.prompt_tokens,
        tokens_out=ended.completion_tokens,
        **({"object_type": "rule", "object_id": ended.reason_code} if ended.reason_code else {}),
    )
    _record_rules(opened, "policy.redact", ended.redacted_by)
    _record_rules(opened, "policy.flag", ended.flagged_by)


def _store_answer(opened: OpenedTurn, ended: TurnEnded) -> None:
    """Write the answer over its draft. What was to be replaced goes only when there is something to replace it with."""
    replaced = opened.past.replaced
    if replaced and ended.status not in USABLE:
        _drop_new_rows(opened)
        return
    row = Message(
        id=opened.answer_id, tenant_id=opened.person.tenant_id, conversation_id=opened.past.conversation
    )
    # An answer whose person erased the conversation meanwhile has no row any more: there is nothing to keep.
    Message.objects.filter(pk=opened.answer_id).update(
        status=ended.status,
        body=Message._meta.get_field("body").seal(ended.text, row),
        reason=ended.reason_code,
        prompt_tokens=ended.prompt_tokens,
        completion_tokens=ended.completion_tokens,
        first_token_ms=ended.first_token_ms,
        tokens_per_second=ended.tokens_per_second,
    )
    if replaced:
        Message.objects.filter(pk__in=replaced).delete()


def mark_interrupted() -> int:
    """Mark answers that were being written when the server last stopped, in every tenant; return how many.

    Run once at start, before any turn can run.
    """
    count = 0
    for tenant_id in Tenant.objects.values_list("id", flat=True):
        with tenant_scope(tenant_id):
            running = list(Message.objects.filter(status=Status.RUNNING).select_related("conversation"))
            settle_interrupted(running, live=frozenset())
            count += len(running)
    return count


@transaction.atomic
def settle_interrupted(messages: Iterable[Message], *, live: frozenset[UUID]) -> None:
    """Mark and record those answers that look as if they were being written, and that no running turn holds.

    The messages come with their conversation. Their turn could not be closed: the server died or the store failed.
    """
    for message in messages:
        if message.status != Status.RUNNING or message.id in live:
            continue
        message.status = Status.INTERRUPTED
        message.save(update_fields=["status"])
        record_event(
            action="chat.interrupted",
            tenant_id=message.tenant_id,
            actor=message.conversation.owner_id,
            object_type="conv",
            object_id=str(message.conversation_id),
            outcome="failed",
            status=500,
            model_digest=message.model_digest,
        )


def make_title(text: str) -> str:
    """Return the beginning of the first question, in one line: the model is not asked for titles."""
    line = " ".join(text.split())
    return line if len(line) <= TITLE_CHARS else line[: TITLE_CHARS - 1].rstrip() + "…"


def _record_rules(opened: OpenedTurn, action: str, codes: Iterable[str]) -> None:
    for code in codes:
        _record(opened, action, status=200, object_type="rule", object_id=code)


def _record(opened: OpenedTurn, action: str, **details: object) -> None:
    fields: dict[str, object] = {"object_type": "conv", "object_id": str(opened.past.conversation)} | details
    record_event(
        action=action,
        tenant_id=opened.person.tenant_id,
        actor=opened.person.account_id,
        ip=opened.person.ip,
        model_digest=opened.model.digest,
        policy_version=opened.policy_version,
        **fields,  # type: ignore[arg-type]
    )


aread_past = in_database_thread(read_past)
aopen_turn = in_database_thread(open_turn)
adiscard_turn = in_database_thread(discard_turn)
