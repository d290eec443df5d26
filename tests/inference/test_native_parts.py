"""The parts of the native engine that need no model: pace, slots by person, what is kept, and failures of a step."""

from __future__ import annotations

import ctypes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.engine import Origin
from inference.engines.native.pace import Pace, share
from inference.engines.native.sequences import Sequences, shared
from inference.engines.native.shelf import Kept, Shelf

ANN, BOB = Origin("north", "ann", "1"), Origin("north", "bob", "2")
HEAD = [1, 2, 3]


def pace() -> Pace:
    measured = Pace(largest=256)
    measured.begin([0.014, 0.040, 0.097])
    return measured


@pytest.mark.parametrize("speaking", [1, 2, 4, 8, 16])
def test_a_chunk_keeps_a_step_below_twice_its_time(speaking: int) -> None:
    chunk = pace().chunk(speaking)
    assert chunk >= 1
    assert pace().expected(speaking + chunk) <= 2 * pace().expected(speaking)
    assert (speaking + chunk) % 4 == 0
    assert pace().expected(speaking + chunk + 4) > 1.5 * pace().expected(speaking)


def test_where_nobody_listens_a_chunk_takes_less_than_a_stop_may() -> None:
    measured = pace()
    assert 0.1 < measured.expected(measured.chunk(0)) < 0.2
    for _ in range(50):
        measured.note(speaking=0, chunk=measured.chunk(0), seconds=3 * measured.expected(measured.chunk(0)))
    assert 3 * measured.expected(measured.chunk(0)) < 0.25


def test_chunks_shrink_where_steps_take_longer_than_promised() -> None:
    measured = pace()
    measured.note(speaking=4, chunk=0, seconds=0.05)
    before = measured.chunk(4)
    for _ in range(30):
        measured.note(speaking=4, chunk=measured.chunk(4), seconds=0.2)
    assert measured.chunk(4) < before


def read_on(measured: Pace, *, steps: int, plain: float, token: float, stall: float = 0.0) -> float:
    """Let so many steps read beside three answers, every tenth one stalled; return reading's share of the last one."""
    for step in range(steps):
        chunk = measured.chunk(3)
        drawn_out = stall if step % 10 == 5 else 0.0
        measured.note(speaking=3, chunk=chunk, seconds=plain + chunk * token + drawn_out)
    return measured.chunk(3) * token / (plain + measured.chunk(3) * token)


@pytest.mark.parametrize("spoiled", [[0.7, 0.7, 0.7], [0.7, 0.04, 0.1], [0.014, 0.04, 2.0]])
def test_a_first_measurement_on_a_busy_machine_does_not_starve_long_prompts(spoiled: list[float]) -> None:
    measured = Pace(largest=256)
    measured.begin(spoiled)
    for _ in range(3):
        measured.note(speaking=3, chunk=0, seconds=0.035)
    share_of_reading = read_on(measured, steps=40, plain=0.035, token=0.004)
    assert 0.3 <= share_of_reading <= 0.5


def test_single_stalls_leave_reading_its_share() -> None:
    measured = pace()
    for _ in range(30):
        measured.note(speaking=3, chunk=0, seconds=0.035)
    assert 0.25 <= read_on(measured, steps=200, plain=0.035, token=0.002, stall=0.5) <= 0.5


@given(st.integers(1, 300), st.lists(st.integers(1, 500), min_size=1, max_size=8))
def test_a_chunk_is_shared_out_whole_and_the_oldest_gets_half(budget: int, waiting: list[int]) -> None:
    shares = share(budget, waiting)
    assert sum(shares) == min(budget, sum(waiting))
    assert all(0 <= given <= wanted for given, wanted in zip(shares, waiting, strict=True))
    assert shares[0] >= min(waiting[0], budget // 2)


@given(st.lists(st.integers(0, 2)), st.lists(st.integers(0, 2)), st.integers(0, 9))
def test_shared_tokens_are_the_common_beginning(left: list[int], right: list[int], limit: int) -> None:
    count = shared(left, right, limit=limit)
    assert left[:count] == right[:count]
    assert count == limit or count == min(len(left), len(right)) or left[count] != right[count]


def filled(sequences: Sequences, tokens: list[int], origin: Origin) -> int:
    sequence = sequences.take(tokens, head=3, origin=origin)
    sequence.tokens, sequence.head, sequence.origin = list(tokens), 3, origin
    sequences.give_back(sequence)
    return sequence.slot


def test_beyond_the_head_only_the_same_person_shares() -> None:
    sequences = Sequences(2)
    slot = filled(sequences, [*HEAD, 4, 5, 6], ANN)
    sequence = sequences.all[slot]
    prompt = [*HEAD, 4, 5, 6, 7]
    assert sequence.usable(prompt, head=3, origin=Origin("north", "ann", "another")) == 6
    for other in (BOB, Origin("south", "ann", "1"), Origin()):
        assert sequence.usable(prompt, head=3, origin=other) == 3
    # A stored head that is shorter than the prompt's claims it to be is the limit, too.
    assert sequence.usable(prompt, head=6, origin=BOB) == 3


def test_people_return_to_their_slot_and_others_take_the_oldest() -> None:
    sequences = Sequences(2)
    first = filled(sequences, [*HEAD, 4, 5], ANN)
    second = filled(sequences, [*HEAD, 6, 7], BOB)
    assert first != second
    assert sequences.take([*HEAD, 6, 7, 8], head=3, origin=BOB).slot == second
    assert sequences.take([*HEAD, 6, 7, 8], head=3, origin=BOB).slot == first


def kept(origin: Origin, tokens: list[int], size: int) -> Kept:
    return Kept(origin, tokens, 3, (ctypes.c_uint8 * size)())


def test_the_shelf_keeps_within_its_bound_per_tenant_and_drops_the_oldest() -> None:
    shelf = Shelf(100)
    assert not shelf.wants(ANN, 101)
    assert not shelf.wants(Origin("north"), 10)
    assert not Shelf(0).wants(ANN, 1)
    for number in range(5):
        shelf.put(kept(ANN, [*HEAD, number], 40))
        shelf.put(kept(Origin("south", "ann", "1"), [*HEAD, number], 40))
    assert shelf.size("north") == shelf.size("south") == 80
    assert shelf.best([*HEAD, 0], ANN)[1] == 3
    assert shelf.best([*HEAD, 4], ANN)[1] == 4


def test_the_shelf_gives_to_the_same_person_only_and_forgets() -> None:
    shelf = Shelf(100)
    shelf.put(kept(ANN, [*HEAD, 4, 5], 40))
    assert shelf.best([*HEAD, 4, 5], BOB) == (None, 0)
    assert shelf.best([*HEAD, 4, 5], Origin("south", "ann", "1")) == (None, 0)
    assert shelf.best([*HEAD, 4, 5], ANN)[1] == 5
    shelf.forget(Origin("north", "ann"))
    assert shelf.best([*HEAD, 4, 5], ANN) == (None, 0)


def test_a_longer_version_of_a_conversation_replaces_the_shorter() -> None:
    shelf = Shelf(1000)
    shelf.put(kept(ANN, [*HEAD, 4], 40))
    shelf.put(kept(ANN, [*HEAD, 4, 5], 50))
    assert shelf.size("north") == 50
