"""Run a turn: the one ordered path that every question takes.

    consent → limits → policy → (stored and recorded) → engine → policy → (stored and recorded)

Each step takes what the step before it returns, so a skipped step does not type-check. A turn whose start cannot be
written to the audit log does not run.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from uuid import UUID

from django.db import DatabaseError
from django.utils.translation import get_language, gettext, override

from accounts.models import User
from chat import conversations, limits, refusals
from chat.conversations import OpenedTurn, Past
from chat.limits import TurnLimits
from chat.models import Status
from chat.requests import TurnRequest
from chat.temporary import TemporaryConversations
from chat.turns import LiveTurn, TurnEnded, TurnStarted
from common.errors import PortalError
from common.markdown import render_markdown, visible_text
from common.threads import in_database_thread
from common.tracebacks import where
from inference.engine import (
    ChatMessage,
    Event,
    Finished,
    Origin,
    Piece,
    Prompt,
    Queued,
    Sampling,
    Started,
)
from inference.pool import InferencePool
from policy.errors import OutputBlocked, PolicyUnavailable
from policy.ruleset import RuleSet
from policy.services import ClearedText, OutputScreen, aclear_prompt
from policy.serving import rule_sets
from tenants.scope import tenant_scope

logger = logging.getLogger("portal.turns")


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """What a turn runs on. `choose` gives the pool of an organisation at the moment at which its ticket is taken."""

    choose: Callable[[UUID], InferencePool | None]
    system_prompt: str
    temporary: TemporaryConversations
    live_answers: Callable[[], frozenset[UUID]]


async def run_turn(turn: LiveTurn, request: TurnRequest, *, account: User, engine: Engine) -> None:
    """Run one turn to its end; how it goes is told through `turn`."""
    with tenant_scope(turn.person.tenant_id), override(turn.person.language):
        try:
            await _run(turn, request, account=account, engine=engine)
        except PortalError as error:
            turn.refuse(await refusals.arecord(error, person=turn.person))
        except DatabaseError as error:
            logger.error("the store failed in a turn: %s", where(error))
            turn.refuse(PortalError())
        finally:
            if not turn.is_over:
                turn.refuse(PortalError())


async def _run(turn: LiveTurn, request: TurnRequest, *, account: User, engine: Engine) -> None:
    allowed = await limits.aenter(account)
    request = limits.fit(request, allowed)
    pool = limits.require_pool(engine.choose(allowed.consented.tenant_id))
    with limits.check(allowed, pool=pool) as ticket:
        turn.hold(ticket)
        past = await _read_past(turn, request, engine)
        rules = await rule_sets().aload(allowed.consented.tenant_id)
        cleared = await aclear_prompt(past.question, rules, confirmed=request.confirmed)
        opened = await conversations.aopen_turn(
            turn.person,
            request=request,
            past=past,
            cleared=cleared,
            model=pool.config.model,
            quota=allowed.quota,
        )
        turn.store_as(opened.answer_id)
        with _forgetting(past, pool, engine.temporary):
            answer = await _generate(
                turn, opened, pool.generate(ticket, _prompt(opened, engine, limits=allowed)), rules=rules
            )
            ended = await _finish(turn, opened, answer)
            if past.temporary and ended.status in conversations.USABLE and not turn.is_forgotten:
                engine.temporary.add(
                    past.conversation,
                    account_id=turn.person.account_id,
                    session=turn.person.session,
                    question=opened.question,
                    answer=ended.text,
                )
    turn.end(ended)


@contextmanager
def _forgetting(past: Past, pool: InferencePool, temporary: TemporaryConversations) -> Iterator[None]:
    """Let the engine forget a temporary conversation that was to begin here and did not, whatever the reason.

    Nobody can go on with it, so nothing else would ever end it.
    """
    try:
        yield
    finally:
        if past.temporary and past.is_new and past.conversation not in temporary:
            pool.forget(Origin(conversation=str(past.conversation)))


async def _read_past(turn: LiveTurn, request: TurnRequest, engine: Engine) -> Past:
    if not request.temporary and request.kind == "send" and request.conversation is None:
        return conversations.new_past(request)
    if not request.temporary:
        return await conversations.aread_past(turn.person, request, live=engine.live_answers())
    history: tuple[ChatMessage, ...] = ()
    if request.conversation is not None:
        history = engine.temporary.history(request.conversation, account_id=turn.person.account_id)
    return Past(
        conversation=request.conversation or turn.id,
        is_new=request.conversation is None,
        temporary=True,
        history=history,
        exchange=turn.id,
        question=request.text,
    )


@dataclass(slots=True)
class _Answer:
    """What has come of an answer: all of it cleared, or why there is none."""

    screen: OutputScreen
    shown: list[str]
    finished: Finished | None = None
    failure: PortalError | None = None


async def _generate(
    turn: LiveTurn, opened: OpenedTurn, events: AsyncGenerator[Event, None], *, rules: RuleSet
) -> _Answer:
    """Pass the engine's words through the output screen to the followers.

    Raises what kept the turn from the engine; what went wrong once it ran is in the answer.
    """
    answer = _Answer(OutputScreen(rules), [])
    try:
        async for event in events:
            _take(event, turn=turn, opened=opened, answer=answer)
    except PortalError as error:
        if turn.started is None:
            await conversations.adiscard_turn(opened, stopped=False)
            raise
        answer.failure = error
        if isinstance(error, OutputBlocked | PolicyUnavailable):
            turn.withdraw()
    finally:
        await events.aclose()
    return answer


def _take(event: Event, *, turn: LiveTurn, opened: OpenedTurn, answer: _Answer) -> None:
    match event:
        case Queued():
            turn.queue(event)
        case Started():
            turn.start(
                TurnStarted(
                    conversation=opened.past.conversation,
                    message=opened.answer_id,
                    prompt=opened.prompt_id,
                    temporary=opened.past.temporary,
                    title=opened.title,
                    shown=opened.question if opened.is_masked else "",
                )
            )
        case Piece():
            _show(answer.screen.feed(event.text), turn=turn, answer=answer)
        case Finished():
            answer.finished = event
            _show(answer.screen.finish(), turn=turn, answer=answer)


def _show(cleared: ClearedText, *, turn: LiveTurn, answer: _Answer) -> None:
    answer.shown.append(cleared.text)
    turn.add(cleared.text)


async def _finish(turn: LiveTurn, opened: OpenedTurn, answer: _Answer) -> TurnEnded:
    """Store the answer with its event and return what the followers are told."""
    if turn.started is None:
        await conversations.adiscard_turn(opened, stopped=True)
        return TurnEnded(status=Status.STOPPED)
    ended = await aclose(opened, answer)
    if ended.status == Status.BLOCKED and answer.failure is None:
        turn.withdraw()  # Only what was rendered was against the rules: until now all of it stood.
    return ended


def _close(opened: OpenedTurn, answer: _Answer) -> TurnEnded:
    ended = replace(_ended(answer), model=opened.model.name)
    conversations.close_turn(opened, ended)
    return ended


# Rendering goes along with storing, off the event loop: a long answer would keep everybody else waiting.
aclose = in_database_thread(_close)


def _withdrawn(refusal: OutputBlocked | PolicyUnavailable) -> TurnEnded:
    rule = refusal.decision.rule if isinstance(refusal, OutputBlocked) else None
    return TurnEnded(
        status=Status.BLOCKED,
        reason_code=rule.code if rule else "",
        reason_title=rule.title_in(get_language() or "") if rule else "",
        message=gettext(refusal.message),
    )


def _ended(answer: _Answer) -> TurnEnded:
    if isinstance(answer.failure, OutputBlocked | PolicyUnavailable):
        return _withdrawn(answer.failure)
    text = "".join(answer.shown)
    html = render_markdown(text)
    try:
        answer.screen.require_clear(visible_text(html), source=text)
    except (OutputBlocked, PolicyUnavailable) as refusal:
        return _withdrawn(refusal)
    ended = TurnEnded(
        status=Status.FAILED,
        text=text,
        html=html,
        redacted_by=answer.screen.redacted_by,
        flagged_by=answer.screen.flagged_by,
    )
    if answer.finished is None:
        return replace(ended, message=gettext((answer.failure or PortalError()).message))
    usage, timings = answer.finished.usage, answer.finished.timings
    return replace(
        ended,
        status=answer.finished.reason,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        first_token_ms=round(timings.queue_ms + timings.first_token_ms),
        total_ms=round(timings.total_ms),
        tokens_per_second=round(timings.tokens_per_second, 1),
    )


def _prompt(opened: OpenedTurn, engine: Engine, *, limits: TurnLimits) -> Prompt:
    """Return system prompt, history and question; the engine trims the history to its context."""
    system = ChatMessage("system", engine.system_prompt)
    question = ChatMessage("user", opened.question)
    return Prompt(
        messages=(system, *opened.past.history, question),
        sampling=Sampling(max_new_tokens=limits.max_new_tokens),
        origin=Origin(conversation=str(opened.past.conversation)),
    )
