"""See through spelling tricks without losing the place in the original.

A text has two readings. Its *letters* are what a reader sees: compatibility forms, case, traditional characters and
lookalikes folded, invisible characters and accents dropped. Its *core* is the letters and digits alone, so that what
was pulled apart (s-e-c-r-e-t, 机 密) stands together again. Each place of a reading is known in the original.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from functools import cached_property

from policy.folding import DROPPED, EXPANDED, FOLDING, fold_character

_CHANGED = re.compile(f"{DROPPED}+|{EXPANDED}+")
_BETWEEN = re.compile(r"[\W_]+")
# Every byte of UTF-8 that continues a character: without them a text has a byte per character.
_CONTINUING = bytes(range(0x80, 0xC0))
_BLOCK = 512
# How much of what was shown already a stream keeps for the rules to look back at: enough for a digit and the marks that
# may stand behind it (policy/numerals.py).
CONTEXT_LETTERS = 7


@dataclass(slots=True)
class Places:
    """Carry places of one text back to another, by runs in which both move alike (step 1) or one stands (step 0)."""

    starts: list[int] = field(default_factory=list)
    origins: list[int] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)

    def add(self, start: int, origin: int, *, step: int = 1) -> None:
        """Begin a run."""
        self.starts.append(start)
        self.origins.append(origin)
        self.steps.append(step)

    def back(self, place: int) -> int:
        """Return where a place came from."""
        run = bisect_right(self.starts, place) - 1
        return self.origins[run] + self.steps[run] * (place - self.starts[run])


class Normalised:
    """A text as the rules see it.

    `letters` begins with `context` characters that rules may look back at but that are no part of the text.
    """

    def __init__(self, letters: str, places: Places, *, context: int = 0) -> None:
        self.letters = letters
        self.context = context
        self._places = places

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the place in the original, end excluded, of `letters[start:end]`."""
        return self.place(start), self.place(end - 1) + 1

    def place(self, at: int) -> int:
        """Return the character of the original that letter `at` came from; those of the context count as its first."""
        return self._places.back(at - self.context) if at >= self.context else 0

    def letters_before(self, character: int) -> str:
        """Return the context and the letters that came from the first `character` characters of the original."""
        low, high = self.context, len(self.letters)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self.place(middle) < character else (low, middle)
        return self.letters[:low]

    @cached_property
    def data(self) -> bytes:
        """Return the letters in UTF-8."""
        return self.letters.encode()

    def letter_at(self, byte: int) -> int:
        """Return which letter byte `byte` of the data belongs to, or follows at the end."""
        if len(self.data) == len(self.letters):
            return byte
        block = byte // _BLOCK
        return self._blocks[block] + len(self.data[block * _BLOCK : byte].translate(None, _CONTINUING))

    def byte_at(self, letter: int) -> int:
        """Return where letter `letter` begins in the data."""
        return letter if len(self.data) == len(self.letters) else len(self.letters[:letter].encode())

    @cached_property
    def core(self) -> Core:
        """Return the letters and digits alone."""
        core = _core(self.letters)
        return replace(core, context=len(_core(self.letters[: self.context]).text)) if self.context else core

    @cached_property
    def _blocks(self) -> list[int]:
        counts = [0]
        for start in range(0, len(self.data), _BLOCK):
            counts.append(counts[-1] + len(self.data[start : start + _BLOCK].translate(None, _CONTINUING)))
        return counts


@dataclass(frozen=True, slots=True)
class Core:
    """The letters and digits of a text, and where in the letters they stand; the first `context` are no part of it."""

    text: str
    places: Places
    context: int = 0


def normalise(text: str, *, context: str = "") -> Normalised:
    """Return the text's readings, after letters of the text before it that rules may look back at."""
    if text.isascii() and text.isprintable():
        return Normalised(context + text.lower(), _unchanged(), context=len(context))
    marked = text.translate(FOLDING)
    if DROPPED not in marked and EXPANDED not in marked:
        return Normalised(context + marked, _unchanged(), context=len(context))
    letters, places = _settle(text, marked)
    return Normalised(context + letters, places, context=len(context))


def _unchanged() -> Places:
    places = Places()
    places.add(0, 0)
    return places


def _settle(text: str, marked: str) -> tuple[str, Places]:
    """Leave out what is dropped and write out what is expanded."""
    places, parts = Places(), []
    at = length = 0
    for change in _CHANGED.finditer(marked):
        start, end = change.span()
        if start > at:
            places.add(length, at)
            parts.append(marked[at:start])
            length += start - at
        if marked[start] == EXPANDED:
            for index in range(start, end):
                places.add(length, index, step=0)
                parts.append(fold_character(text[index]))
                length += len(parts[-1])
        at = end
    places.add(length, at)
    parts.append(marked[at:])
    return "".join(parts), places


def _core(letters: str) -> Core:
    places, parts = Places(), []
    at = length = 0
    for gap in _BETWEEN.finditer(letters):
        start, end = gap.span()
        if start > at:
            places.add(length, at)
            parts.append(letters[at:start])
            length += start - at
        at = end
    places.add(length, at)
    parts.append(letters[at:])
    return Core("".join(parts), places)
