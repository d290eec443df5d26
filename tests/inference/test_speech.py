"""However the bytes are cut into tokens, what is said is the same."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from inference.engines.speech import Speech


class Ear:
    def __init__(self) -> None:
        self.heard: list[str] = []

    def progress(self, *, processed: int, total: int) -> None:
        raise AssertionError

    def text(self, piece: str) -> None:
        assert piece
        self.heard.append(piece)

    def wait_cancelled(self, seconds: float) -> bool:
        return False


def said(pieces: list[bytes], *stops: str) -> tuple[str, bool]:
    ear = Ear()
    speech = Speech(ear, stops)
    for piece in pieces:
        if speech.say(piece):
            break
    speech.finish()
    return "".join(ear.heard), speech.has_stopped


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


def expected(text: str, stops: list[str]) -> str:
    return text[: min([text.find(stop) for stop in stops if stop in text], default=len(text))]


@given(
    st.text("ab鹭😀"), st.lists(st.text("ab鹭", min_size=1, max_size=4), max_size=3), st.lists(st.integers(0))
)
def test_an_answer_ends_before_the_first_stop_text_however_it_is_cut(
    text: str, stops: list[str], places: list[int]
) -> None:
    whole, stopped = said(cut(text.encode(), places), *stops)
    assert stopped == any(stop in text for stop in stops)
    # A stop text that ends earlier may come before one that begins earlier: then a little more was still to be said.
    assert whole == expected(text, stops) or (
        stopped and any(text.startswith(whole + stop) for stop in stops)
    )


def test_what_cannot_become_a_stop_text_is_said_at_once() -> None:
    ear = Ear()
    speech = Speech(ear, ("END",))
    speech.say(b"word E")
    assert ear.heard == ["word "]
    speech.say(b"N")
    speech.say(b"T")
    assert ear.heard == ["word ", "ENT"]


def test_half_a_character_waits_for_its_other_half() -> None:
    first, second = "鹭".encode()[:1], "鹭".encode()[1:]
    assert said([first, second]) == ("鹭", False)


def test_what_is_no_text_is_marked_as_such() -> None:
    assert said([b"a\xff", b"b"]) == ("a\ufffdb", False)


def test_an_answer_cut_off_within_a_character_ends_before_it() -> None:
    assert said([b"a", "鹭".encode()[:2]]) == ("a", False)
