"""A step that the library refuses ends the turn that it is about, and no other one."""

from __future__ import annotations

import threading
from typing import Any, cast

import pytest

from inference.engine import EngineError, LoadError, Origin, Outcome
from inference.engines.native.batching import BatchLoop
from inference.engines.native.pace import Pace
from inference.engines.native.seats import Seats
from inference.engines.native.shelf import Shelf
from inference.engines.native.template import Encoded
from inference.engines.native.turns import Turn
from inference.engines.speech import Speech

POISON, END = 666, 9


class Context:
    """Compute nothing, and refuse every batch with POISON in it."""

    capacity = 64

    def __init__(self, *, is_broken: bool = False) -> None:
        self._is_broken = is_broken
        self._tokens: list[int] = []
        self.cleared: list[int] = []

    def clear_batch(self) -> None:
        self._tokens = []

    def add_all(self, tokens: list[int], *, position: int, slot: int, speaks: bool) -> int:
        self._tokens += tokens
        return len(self._tokens) - 1

    def decode(self) -> bool:
        return not self._is_broken and POISON not in self._tokens

    def cut(self, slot: int, *, keep: int) -> bool:
        if not keep:
            self.cleared.append(slot)
        return True


class Deaf:
    def progress(self, *, processed: int, total: int) -> None: ...
    def text(self, piece: str) -> None: ...
    def wait_cancelled(self, seconds: float) -> bool:
        return False


class Sampler:
    def choose(self, context: Any, row: int) -> int:
        return END

    def close(self) -> None: ...


class Model:
    def is_end(self, token: int) -> bool:
        return token == END


def start(context: Context) -> BatchLoop:
    seats = Seats(cast(Any, context), 4, shelf=Shelf(0))
    return BatchLoop(cast(Any, context), cast(Any, Model()), seats, pace=Pace(largest=64))


def turn(tokens: list[int]) -> Turn:
    sink = Deaf()
    return Turn(
        Encoded(tokens, 1),
        Origin("north", "ann", "1"),
        sampler=cast(Any, Sampler()),
        speech=Speech(sink, ()),
        sink=sink,
        most=8,
    )


def outcome(loop: BatchLoop, asked: Turn, results: list[Outcome | None]) -> None:
    loop.submit(asked)
    try:
        results.append(asked.outcome(trimmed=0))
    except EngineError:
        results.append(None)


def test_only_the_turn_that_is_refused_fails() -> None:
    loop = start(Context())
    results: list[list[Outcome | None]] = [[], [], []]
    asked = [turn([1, 2, 3]), turn([1, POISON]), turn([1, 4])]
    threads = [
        threading.Thread(target=outcome, args=(loop, one, result))
        for one, result in zip(asked, results, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert results[1] == [None]
    assert results[0][0] is not None
    assert results[2][0] is not None


def test_a_slot_is_cleared_after_a_failure_and_serves_again() -> None:
    context = Context()
    loop = start(context)
    failed: list[Outcome | None] = []
    outcome(loop, turn([1, POISON]), failed)
    outcome(loop, turn([1, 2]), failed)
    assert failed[0] is None
    assert failed[1] is not None
    assert context.cleared


def test_a_model_that_computes_nothing_is_refused_at_the_start() -> None:
    with pytest.raises(LoadError):
        start(Context(is_broken=True))
