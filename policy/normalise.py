"""See through spelling tricks without losing the place in the original."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

# Default-ignorable characters that render as nothing: soft hyphen, joiners, direction marks, variation selectors, tags.
_IGNORABLE_CATEGORIES = frozenset({"Cf", "Cc", "Mn"})
_KEPT_CONTROLS = frozenset("\n\t")


@dataclass(frozen=True, slots=True)
class Normalised:
    """A text as the rules see it; `origin[i]` is where its character `i` came from in the original."""

    text: str
    origin: tuple[int, ...]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the place in the original, end excluded, of `text[start:end]`."""
        return self.origin[start], self.origin[end - 1] + 1


def normalise(text: str) -> Normalised:
    """Return the text with compatibility forms folded (full-width, circled, mathematical), case folded and invisible
    characters and combining marks dropped.

    Each character is folded for itself, so that places can be carried back; what only a sequence would compose is
    then decomposed on both sides alike.
    """
    letters: list[str] = []
    origin: list[int] = []
    for index, character in enumerate(text):
        for folded in _fold(character):
            letters.append(folded)
            origin.append(index)
    return Normalised("".join(letters), tuple(origin))


def _fold(character: str) -> str:
    if character.isascii():
        return character.lower() if character >= " " or character in _KEPT_CONTROLS else ""
    folded = unicodedata.normalize("NFKD", character).casefold()
    return "".join(letter for letter in folded if unicodedata.category(letter) not in _IGNORABLE_CATEGORIES)
