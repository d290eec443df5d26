from __future__ import annotations

from inference.engines.slots import SlotBook
from tests.inference.support import talk

ANN = talk("I am Ann", system="sys").messages
ANN_LATER = talk("I am Ann", "hello", "and now?", system="sys").messages
BOB = talk("I am Bob", system="sys").messages


def test_a_conversation_returns_to_the_slot_that_holds_its_beginning() -> None:
    book = SlotBook(3)
    first, _ = book.take([ANN])
    book.give_back(first, ANN)
    other, _ = book.take([BOB])
    book.give_back(other, BOB)
    assert other != first
    assert book.take([ANN_LATER]) == (first, ANN_LATER)


def test_a_new_conversation_takes_the_slot_that_was_idle_longest() -> None:
    book = SlotBook(2)
    first, _ = book.take([ANN])
    second, _ = book.take([BOB])
    book.give_back(second, BOB)
    book.give_back(first, ANN)
    assert book.take([talk("I am Cem", system="sys").messages]) == (second, None)


def test_a_slot_in_use_is_not_given_twice() -> None:
    book = SlotBook(2)
    first, _ = book.take([ANN])
    second, _ = book.take([ANN])
    assert {first, second} == {0, 1}


def test_the_same_words_under_another_system_prompt_are_another_conversation() -> None:
    book = SlotBook(2)
    first, _ = book.take([ANN])
    book.give_back(first, ANN)
    assert book.take([talk("I am Ann", system="other").messages])[1] is None


def test_a_trimmed_conversation_is_found_again_by_its_shorter_version() -> None:
    whole = talk("q1", "a1", "q2", "a2", "q3", system="sys").messages
    shorter = talk("q2", "a2", "q3", system="sys").messages
    book = SlotBook(2)
    slot, _ = book.take([talk("q2", system="sys").messages])
    book.give_back(slot, talk("q2", system="sys").messages)
    assert book.take([whole, shorter]) == (slot, shorter)
