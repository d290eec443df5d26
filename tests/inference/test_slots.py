from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from inference.engine import Origin
from inference.engines.slots import SlotBook, Taken
from tests.inference.support import talk

PERSON = Origin("north", "ann", "1")
ANN = talk("I am Ann", system="sys").messages
ANN_LATER = talk("I am Ann", "hello", "and now?", system="sys").messages
BOB = talk("I am Bob", system="sys").messages


def test_a_conversation_returns_to_the_slot_that_holds_its_beginning() -> None:
    book = SlotBook(3)
    first = book.take([ANN], PERSON).slot
    book.give_back(first, ANN)
    other = book.take([BOB], PERSON).slot
    book.give_back(other, BOB)
    assert other != first
    assert book.take([ANN_LATER], PERSON) == Taken(first, ANN_LATER, is_own=True)


def test_a_new_conversation_takes_the_slot_that_was_idle_longest() -> None:
    book = SlotBook(2)
    first = book.take([ANN], PERSON).slot
    second = book.take([BOB], PERSON).slot
    book.give_back(second, BOB)
    book.give_back(first, ANN)
    assert book.take([talk("I am Cem", system="sys").messages], PERSON).slot == second


def test_a_slot_in_use_is_not_given_twice() -> None:
    book = SlotBook(2)
    first = book.take([ANN], PERSON).slot
    second = book.take([ANN], PERSON).slot
    assert {first, second} == {0, 1}


def test_the_same_words_under_another_system_prompt_are_another_conversation() -> None:
    book = SlotBook(2)
    first = book.take([ANN], PERSON).slot
    book.give_back(first, ANN)
    assert book.take([talk("I am Ann", system="other").messages], PERSON).version is None


def test_a_trimmed_conversation_is_found_again_by_its_shorter_version() -> None:
    whole = talk("q1", "a1", "q2", "a2", "q3", system="sys").messages
    shorter = talk("q2", "a2", "q3", system="sys").messages
    book = SlotBook(2)
    slot = book.take([talk("q2", system="sys").messages], PERSON).slot
    book.give_back(slot, talk("q2", system="sys").messages)
    assert book.take([whole, shorter], PERSON) == Taken(slot, shorter, is_own=True)


def test_a_slot_that_another_person_has_used_is_handed_over_without_its_text() -> None:
    book = SlotBook(1)
    book.give_back(book.take([ANN], PERSON).slot, ANN)
    for other in (Origin("north", "bob", "1"), Origin("south", "ann", "1"), Origin()):
        taken = book.take([ANN_LATER], other)
        assert (taken.version, taken.is_own) == (None, False)
        book.give_back(taken.slot, ANN_LATER)


def test_nobody_is_never_the_same_as_nobody() -> None:
    book = SlotBook(1)
    book.give_back(book.take([ANN], Origin()).slot, ANN)
    assert not book.take([ANN], Origin()).is_own


def test_slots_are_found_by_whose_text_they_hold_until_they_are_seized() -> None:
    book = SlotBook(2)
    book.give_back(book.take([ANN], PERSON).slot, ANN)
    book.give_back(book.take([BOB], Origin("north", "bob", "2")).slot, BOB)
    (slot,) = book.holding(Origin("north", "ann"))
    assert book.holding(Origin("north")) == [0, 1]
    assert book.seize(slot, Origin("north", "ann"))
    book.give_back(slot, ())
    assert book.holding(Origin("north", "ann")) == []


def test_a_turn_waits_for_a_slot_that_is_being_cleared() -> None:
    book = SlotBook(1)
    book.give_back(book.take([ANN], PERSON).slot, ANN)
    assert book.seize(0, PERSON)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(book.take, [BOB], Origin("north", "bob", "2"))
        with pytest.raises(TimeoutError):
            waiting.result(0.05)
        book.give_back(0, ())
        assert waiting.result(5) == Taken(0, None, is_own=False)
