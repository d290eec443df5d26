"""See through spelling tricks without losing the place in the original."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

# Categories that render as nothing of their own: controls, joiners, direction marks, tags, combining marks, and halves
# of characters, which have no encoding.
_DROPPED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Me", "Mn"})
# Letters and symbols by category that are blank all the same: Hangul fillers, the empty Braille pattern.
_BLANK_LETTERS = frozenset("\u115f\u1160\u2800")
_DROPPED_CONTROLS = dict.fromkeys([*range(9), *range(11, 32), 127])


@dataclass(frozen=True, slots=True)
class Normalised:
    """A text as the rules see it, in UTF-8: what rules match on, after the `context` bytes that they may look back at.

    `origin` tells for each byte after the context which character of the original it came from.
    """

    data: bytes
    origin: Sequence[int]
    context: int = 0

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the place in the original, end excluded, of `data[start:end]`."""
        return self.place(start), self.place(end - 1) + 1

    def place(self, at: int) -> int:
        """Return the character of the original that byte `at` came from."""
        return self.origin[at - self.context]


def normalise(text: str, *, context: bytes = b"") -> Normalised:
    """Return the text with compatibility forms folded (full-width, circled, mathematical), case folded and invisible
    characters and combining marks dropped.

    Each character is folded for itself, so that a text normalises to the same in one piece or in several, and so that
    places can be carried back; what only a sequence would compose is decomposed on both sides alike.
    """
    if text.isascii() and text.isprintable():
        return Normalised(context + text.lower().encode(), range(len(text)), len(context))
    folded = bytearray(context)
    origin: list[int] = []
    for index, character in enumerate(text):
        letters = _fold(character)
        folded += letters
        origin += [index] * len(letters)
    return Normalised(bytes(folded), origin, len(context))


@lru_cache(maxsize=8192)
def _fold(character: str) -> bytes:
    if character.isascii():
        return character.lower().translate(_DROPPED_CONTROLS).encode()
    folded = unicodedata.normalize("NFKD", character).casefold()
    return "".join(filter(_is_visible, folded)).encode()


def _is_visible(letter: str) -> bool:
    return letter not in _BLANK_LETTERS and unicodedata.category(letter) not in _DROPPED_CATEGORIES
