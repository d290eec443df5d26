"""Bring turns from the queue onto the worker's slots and through to their end.

A slot counts as free only when the engine has confirmed the end of its turn, or when the worker is gone.
What the person sees does not wait for that.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, astuple, replace

from inference import breaker
from inference.child import Child
from inference.config import PoolConfig
from inference.engine import FinishReason, Origin, OverlongPrompt, Prompt
from inference.errors import (
    EngineFailed,
    EngineUnavailable,
    InferenceError,
    PromptTooLong,
    QueueTimeout,
    RequestUnsupported,
)
from inference.forecast import Forecast, Prospect, draws_for
from inference.prompt import MAX_BYTES_PER_TOKEN, Trimmer
from inference.queueing import Claim, FairQueue
from inference.recycling import Recycler
from inference.sharing import SlotRule, SlotShares
from inference.supervisor import Callbacks, Supervisor
from inference.turn import RETELL_S, Turn
from inference.upkeep import Upkeep
from inference.watch import Watch
from inference.wire import Cancel, Count, Counted, Ended, Forget, FromWorker, Progress, Refused, Run, Text

# A person who stops sees it at once: after this time in seconds we no longer wait for the engine's own
# figures.
STOP_GRACE_S = 0.15
# Bytes of a conversation that a worker is given at most: below the limit of the wire, however they are
# escaped.
MAX_PROMPT_BYTES = 600_000
# A count waits behind prompts that are being processed.
COUNT_TIMEOUT_S = 10
# A turn that stands still while others speak is told to end; an engine that does not do so within this time in seconds
# has lost its slot.
STUCK_GRACE_S = 2
# What a person is told when the engine refuses a turn.
REFUSALS: dict[str, type[InferenceError]] = {
    "too_long": PromptTooLong,
    "unsupported": RequestUnsupported,
    "engine_error": EngineFailed,
}
# A worker that says more than any tokenizer can is broken. The longest tokens are runs of spaces.
MAX_CHARACTERS_PER_TOKEN = 1024


class Scheduler:
    """Own the workers, the queue and the turns that run.

    Everything here happens in one event loop, in plain calls.
    """

    def __init__(self, config: PoolConfig, turnstile: asyncio.Lock) -> None:
        self._config = config
        self._numbers = itertools.count(1)
        self.queue: FairQueue[Turn] = FairQueue()
        self.running: dict[int, Turn] = {}
        self.shares = SlotShares()
        self._forecast = Forecast(wall_time_s=config.wall_time_s)
        self._retell: asyncio.TimerHandle | None = None
        self._counts: dict[int, tuple[Child, asyncio.Future[int]]] = {}
        self._salt = secrets.token_bytes(32)
        self.worker = Supervisor(
            config, Callbacks(self._receive, self._dispatch, self._fail_running, self._fail_waiting)
        )
        self.recycler = Recycler(self.worker)
        self.upkeep = Upkeep(config, self.worker, self.recycler, turnstile)
        self._watch = Watch(hang_s=config.hang_s, on_silence=self._note_silence)

    def turn_ms(self) -> int:
        """Return how long a turn takes on the average, in milliseconds."""
        return round(self._forecast.turn_s * 1000)

    def next_wait_ms(self, tenant: str) -> int:
        """Estimate how long one of that tenant would wait who came now, behind all others, in milliseconds."""
        last = Prospect(
            tenant, self._config.max_new_tokens, self._config.limits.queue_timeout_s, draws_for(0)
        )
        return self._waits_ms(_now(), last)[-1]

    def enqueue(self, claim: Claim, prompt: Prompt) -> Turn:
        """Put a new turn into the queue, or onto a slot if one is free.

        Raise PromptTooLong or EngineUnavailable.
        """
        self.require_engine()
        fitting = self._fit(prompt)
        trimmed = len(prompt.messages) - len(fitting.messages)
        turn = Turn(next(self._numbers), claim, fitting, now=_now(), trimmed=trimmed)
        self.queue.push(turn)
        self.shares.arrive(claim, now=_now())
        self._later(self._config.limits.queue_timeout_s, self._give_up, turn)
        self._dispatch()
        return turn

    def end(self, turn: Turn, verdict: FinishReason) -> None:
        """End a turn for that reason, in whatever phase it is."""
        if turn.phase == "waiting":
            self._take_out(turn)
            turn.verdict = verdict
            turn.finish(_now())
            self._tell_places()
        elif turn.phase == "running" and turn.verdict is None:
            turn.verdict = verdict
            self._child_of(turn).send(Cancel(turn.number))
            self._later(STOP_GRACE_S, self._finish_unconfirmed, turn)

    def abandon(self, turn: Turn) -> None:
        """End a turn that nobody reads any more. Does nothing to one that is over."""
        self.end(turn, "stopped")
        if turn.number in self.running:
            self._finish_unconfirmed(turn)

    async def count_tokens(self, prompt: Prompt) -> int:
        """Return the tokens of a prompt by the model's own tokenizer. Raise EngineUnavailable."""
        self.require_engine()
        if (child := self.worker.active) is None:
            raise EngineUnavailable
        number = next(self._numbers)
        waiting: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._counts[number] = child, waiting
        child.counts.add(number)
        try:
            child.send(Count(number, prompt))
            async with asyncio.timeout(COUNT_TIMEOUT_S):
                tokens = await waiting
        except TimeoutError:
            raise EngineUnavailable from None
        finally:
            del self._counts[number]
        if tokens < 0:
            raise EngineUnavailable
        return tokens

    def forget(self, origin: Origin) -> None:
        """Let every worker drop what it keeps of that origin's text.

        What a turn that runs or waits now adds to it is dropped when it has ended.
        """
        hidden = self._hide(origin)
        self.worker.send_all(Forget(hidden))
        for turn in (*self.running.values(), *self.queue):
            if _covers(hidden, turn.prompt.origin):
                turn.forgets.append(hidden)

    def _hide(self, origin: Origin) -> Origin:
        """Replace ids by hashes that mean nothing outside this pool; "" stays "", which stands for nobody or all."""
        return Origin(*(self._hash(kind, text) for kind, text in asdict(origin).items()))

    def _hash(self, kind: str, text: str) -> str:
        return text and hashlib.blake2b(f"{kind}:{text}".encode(), key=self._salt, digest_size=16).hexdigest()

    def require_engine(self) -> None:
        """Raise EngineUnavailable if there is no engine to wait for."""
        if self.worker.state == "closed":
            raise EngineUnavailable
        if self.worker.state == "failed":
            raise EngineUnavailable(retry_after_ms=round(breaker.SLOW_RETRY_S * 1000))

    def _fit(self, prompt: Prompt) -> Prompt:
        """Cap the tokens asked for, and drop history that cannot fit by its sheer bytes."""
        context = self._config.model.context_tokens
        budget = min(MAX_PROMPT_BYTES, context * MAX_BYTES_PER_TOKEN)
        trimmer = Trimmer(prompt.messages, stride=context)
        try:
            while (size := trimmer.size) > budget:
                trimmer.shorten(measured=size, budget=budget)
        except OverlongPrompt:
            raise PromptTooLong from None
        limit = min(prompt.sampling.max_new_tokens, self._config.max_new_tokens)
        sampling = replace(prompt.sampling, max_new_tokens=limit)
        return Prompt(trimmer.messages, sampling, self._hide(prompt.origin))

    def _dispatch(self) -> None:
        """Start whoever is next while a slot is free, and tell the others their place."""
        while (child := self.worker.active) is not None and len(child.turns) < self._capacity:
            turn = self.queue.pop(self._permission(child), work=self._forecast.turn_s)
            if turn is None:
                break
            if not child.turns:
                self._watch.begin(child)
            self.running[turn.number] = child.turns[turn.number] = turn
            child.send(Run(turn.number, turn.prompt))
            turn.begin(_now())
            self._later(self._config.wall_time_s, self._time_out, turn)
        self._tell_places()

    @property
    def _capacity(self) -> int:
        """Return how many turns the active worker may have: one at a time while it is on trial."""
        return 1 if self.worker.breaker.circuit == "half-open" else self._config.slots

    def _child_of(self, turn: Turn) -> Child:
        """Return the worker on which a turn runs."""
        return next(child for child in self.worker.children if turn.number in child.turns)

    def _tell_places(self) -> None:
        """Tell those who wait what is news to them, and look again after a while: estimates move."""
        if self._retell is not None:
            self._retell.cancel()
            self._retell = None
        if self.queue:
            now = _now()
            for position, (turn, eta_ms) in enumerate(zip(self.queue, self._waits_ms(now), strict=True), 1):
                turn.place(position, eta_ms, now)
            # Slots that were kept for those who do not come are given to those who wait, too.
            self._retell = asyncio.get_running_loop().call_later(RETELL_S, self._dispatch)

    def _permission(self, child: Child) -> Callable[[str, str], bool]:
        """Return what says whether that person of that tenant may have one more slot of a worker."""
        claims = [turn.claim for turn in child.turns.values()]
        held = Counter(claim.tenant for claim in claims)
        people = Counter((claim.tenant, claim.person) for claim in claims)
        rule, alone = self._rule(), self.queue.tenants < 2
        return lambda tenant, person: rule.may_take(tenant, held, alone=alone, own=people[tenant, person])

    def _rule(self) -> SlotRule:
        return self.shares.rule(self._capacity, now=_now())

    def _waits_ms(self, now: float, *more: Prospect) -> list[int]:
        child = self.worker.active
        running = [turn.standing(now) for turn in (child.turns if child else self.running).values()]
        patience_s = self._config.limits.queue_timeout_s
        waiting = [turn.prospect(now, patience_s=patience_s) for turn in self.queue]
        return self._forecast.waits_ms(running, [*waiting, *more], self._rule())

    def _receive(self, child: Child, message: FromWorker) -> None:
        """Act on what a worker says about a turn. It must be one that runs on it."""
        turn = child.turns.get(getattr(message, "turn", 0))
        match message:
            case Text(_, text) if turn:
                turn.text(text, _now())
                if turn.characters > turn.prompt.sampling.max_new_tokens * MAX_CHARACTERS_PER_TOKEN:
                    child.kill("the worker broke the protocol")
            case Progress(_, _, total) if turn:
                child.hear_prompt(_now())
                turn.progress(total, _now())
            case Ended(_, outcome) if turn:
                self.worker.prove(child)
                self.upkeep.note_turn(child, outcome)
                turn.finish(_now(), outcome)
                self._free(child, turn)
            case Refused(_, code) if turn:
                turn.fail(REFUSALS[code]())
                self._free(child, turn)
            case Counted(number, tokens) if number in child.counts:
                child.counts.remove(number)
                # Whoever asked may have gone.
                _, waiting = self._counts.get(number, (child, None))
                if waiting is not None and not waiting.done():
                    waiting.set_result(tokens)
            case _:
                child.kill("the worker broke the protocol")

    def _free(self, child: Child, turn: Turn) -> None:
        self._forecast.note(
            first_s=turn.first_at - turn.started_at,
            made=turn.pieces,
            decoding_s=turn.last_at - turn.first_at,
            beside=len(child.turns),
        )
        del self.running[turn.number], child.turns[turn.number]
        self._settle(turn)
        for origin in turn.forgets:
            child.send(Forget(origin))
        if not child.turns:
            self._watch.end(child)
            self.worker.note_idle(child)
        else:
            self._end_stuck(child)
        self.upkeep.check()
        self._dispatch()

    def _fail_running(self, child: Child) -> None:
        """End those that were on a worker which is gone. None of them is run again: it may be what broke the worker."""
        closed = self.worker.state == "closed"
        for turn in child.turns.values():
            turn.fail(EngineUnavailable() if closed else EngineFailed())
            self._settle(turn)
            del self.running[turn.number]
        child.turns.clear()
        for asked, waiting in self._counts.values():
            if asked is child and not waiting.done():
                waiting.set_exception(EngineUnavailable())
        self._tell_places()

    def _fail_waiting(self) -> None:
        """End those that wait for an engine which does not come."""
        for turn in list(self.queue):
            self._take_out(turn)
            turn.fail(EngineUnavailable())
        self._tell_places()

    def _take_out(self, turn: Turn) -> None:
        """Take one out that waits no longer and gets no slot."""
        self.queue.remove(turn)
        self.shares.leave(turn.claim, now=_now())

    def _settle(self, turn: Turn) -> None:
        """Charge a turn that has left its slot to whose it was."""
        turn.set_timer(None)
        self.queue.settle(turn, work=_now() - turn.started_at)
        self.shares.leave(turn.claim, now=_now())

    def _later(self, seconds: float, act: Callable[[Turn], None], turn: Turn) -> None:
        turn.set_timer(asyncio.get_running_loop().call_later(seconds, act, turn))

    def _give_up(self, turn: Turn) -> None:
        """End the wait, unless it is us who make people wait: a recycle takes no longer than a turn may."""
        if self.recycler.is_emptying:
            self._later(self._config.limits.queue_timeout_s, self._give_up, turn)
            return
        self._take_out(turn)
        turn.fail(QueueTimeout(retry_after_ms=self.next_wait_ms(turn.claim.tenant)))
        self._tell_places()

    def _time_out(self, turn: Turn) -> None:
        self.end(turn, "timeout")

    def _finish_unconfirmed(self, turn: Turn) -> None:
        """Give the person the end now.

        An engine that does not confirm for long has lost the slot: restart it.
        """
        turn.finish(_now())
        self._later(self._config.hang_s, self._lose_slot, turn)

    def _lose_slot(self, turn: Turn) -> None:
        """Give up a slot: the worker is replaced, but those who still speak on it may finish."""
        if turn.number not in self.running:
            return
        turn.is_lost = True
        child = self._child_of(turn)
        self._end_stuck(child)
        if not child.is_stuck and child is self.worker.active:
            self.recycler.begin("stuck")

    def _end_stuck(self, child: Child) -> None:
        """End a worker on which there is nothing but lost turns."""
        if child.is_stuck:
            child.kill("the worker did not end a turn")

    def _note_silence(self, child: Child, silent: list[Turn]) -> None:
        """Replace a worker that says nothing at all; end turns that stand still while others speak."""
        if all(turn in silent or turn.is_lost for turn in child.turns.values()):
            child.kill("the worker did not answer any more")
            return
        for turn in silent:
            if turn.phase == "running":
                turn.fail(EngineFailed())
                child.send(Cancel(turn.number))
                self._later(STUCK_GRACE_S, self._lose_slot, turn)


def _covers(forgotten: Origin, origin: Origin) -> bool:
    """Return whether an origin belongs to what is forgotten, in which an empty field stands for all."""
    pairs = zip(astuple(forgotten), astuple(origin), strict=True)
    return all(wanted in ("", found) for wanted, found in pairs)


def _now() -> float:
    return asyncio.get_running_loop().time()
