"""Fold one character: what it looks like to a reader, whatever it is to a computer.

Each character is folded for itself, so that a text folds to the same in one piece or in several, and so that places can
be carried back to the original. What only a sequence would compose is decomposed on both sides alike.
"""

from __future__ import annotations

import json
import unicodedata
from functools import cache
from importlib import resources

import opencc

# Stand-ins of length one, so that a folded text keeps its length until places are known.
DROPPED, EXPANDED = "\ue000", "\ue001"

# Categories that render as nothing of their own: controls, joiners, direction marks, tags, combining marks, and halves
# of characters, which have no encoding. Private use means nothing to anybody else.
_DROPPED_CATEGORIES = frozenset({"Cc", "Cf", "Co", "Cs", "Me", "Mn"})
_KEPT_CONTROLS = frozenset("\t\n")
# Letters and symbols by category that are blank all the same: Hangul fillers, the empty Braille pattern.
_BLANKS = frozenset("\u115f\u1160\u2800")
# Places without a character that are shown as nothing all the same (Default_Ignorable_Code_Point of the UCD); those of
# them that have a character are dropped by category.
_UNASSIGNED_BLANKS = (range(0x2065, 0x2066), range(0xFFF0, 0xFFF9), range(0xE0000, 0xE1000))
# Hyphens, dashes and the minus sign: what stands in 138–1234–5678 when a word processor has been at it.
_DASHES = frozenset("\u2010\u2012\u2013\u2014\u2015\u2043\u2212")
# A hostile text may hold every character there is: that many are remembered.
_REMEMBERED = 20_000

# What the Unicode list leaves out, or draws to another letter than people read.
_OWN_LOOKALIKES = {
    "\u0131": "i", "\u0142": "l", "\u0111": "d", "\u00f8": "o", "\u0127": "h", "\u0433": "r", "\u043f": "n",
    "\u0442": "t", "\u043a": "k", "\u043c": "m", "\u043d": "h", "\u0432": "b", "\u044f": "r", "\u0438": "u",
    "\u0437": "3", "\u03b1": "a", "\u03b5": "e", "\u03b9": "i", "\u03ba": "k", "\u03bd": "v", "\u03bf": "o",
    "\u0456": "i", "\u03f2": "c", "\u1d00": "a", "\u1d07": "e",
    "\u03c1": "p", "\u03c4": "t", "\u03c5": "u", "\u03c7": "x", "\u03c9": "w", "\u03b7": "n", "\u03bc": "u",
    "\u0262": "g", "\u0274": "n", "\u0299": "b", "\u029c": "h", "\u029f": "l", "\u1d05": "d", "\u1d0a": "j",
    "\u1d0b": "k", "\u1d0d": "m", "\u1d18": "p", "\u1d1b": "t", "\ua730": "f",
}  # fmt: skip

# Greek capitals look like other Latin letters than their small forms do, which is what they become in lower case.
_CAPITALS = str.maketrans("\u0397\u039c\u039d\u03a5", "hmny")
# White on black, without a compatibility form, unlike other letters in circles and squares.
_NEGATIVE = {first + place: chr(ord("a") + place) for first in (0x1F150, 0x1F170) for place in range(26)}
_DRAWN = _CAPITALS | _NEGATIVE


class Folding(dict[int, str]):
    """A table for `str.translate` that fills itself: character to one letter, DROPPED or EXPANDED."""

    def __missing__(self, code: int) -> str:
        letters = fold_character(chr(code))
        short = letters if len(letters) == 1 else EXPANDED if letters else DROPPED
        if len(self) < _REMEMBERED:
            self[code] = short
        return short


FOLDING = Folding()


def fold_character(character: str) -> str:
    """Return what a character reads as: no letters, one, or several (㎏ reads kg)."""
    if character in _KEPT_CONTROLS:
        return character
    if unicodedata.category(character) == "Cs":
        return ""
    plain = unicodedata.normalize("NFKD", character).translate(_DRAWN).casefold()
    # Some fold to letters that fold again: K, the sign for kelvin, is one of several.
    plain = unicodedata.normalize("NFKD", plain)
    return "".join(_look(letter) for letter in plain if _is_visible(letter))


def _is_visible(letter: str) -> bool:
    if letter in _KEPT_CONTROLS:
        return True
    category = unicodedata.category(letter)
    if category == "Cn":
        return not any(ord(letter) in blank for blank in _UNASSIGNED_BLANKS)
    return letter not in _BLANKS and category not in _DROPPED_CATEGORIES


def _look(letter: str) -> str:
    if letter.isascii():
        return letter
    if letter in _DASHES:
        return "-"
    # Digits of other scripts, and circled ones that have no compatibility form.
    digit = unicodedata.digit(letter, None)
    if digit is not None:
        return str(digit)
    return _lookalikes().get(letter) or _simplified().get(letter, letter)


@cache
def _simplified() -> dict[str, str]:
    """Return simplified characters for traditional ones, one for one."""
    blocks = (range(0x3400, 0x4DC0), range(0x4E00, 0xA000))
    characters = [chr(code) for block in blocks for code in block]
    # A line each: converted side by side, they would be read as words.
    converted = opencc.OpenCC("t2s").convert("\n".join(characters)).split("\n")
    return {old: new for old, new in zip(characters, converted, strict=True) if old != new and len(new) == 1}


@cache
def _lookalikes() -> dict[str, str]:
    """Return Latin letters and digits for letters of other scripts that look like them. Source: Unicode UTS 39.

    The package's file is read without the package, which would keep 17 MB of it in memory.
    """
    file = resources.files("confusable_homoglyphs") / "confusables.json"
    listed: dict[str, list[dict[str, str]]] = json.loads(file.read_text(encoding="utf-8"))
    found: dict[str, str] = {}
    for character, others in listed.items():
        latin = [other["c"] for other in others if len(other["c"]) == 1 and other["c"].isascii()]
        letters = sorted(letter for letter in latin if letter.isalnum())
        if letters and not character.isascii() and len(character) == 1 and _is_foreign_letter(character):
            found[character.casefold()] = letters[-1].casefold()
    return found | _OWN_LOOKALIKES


def _is_foreign_letter(character: str) -> bool:
    """Return whether this is a letter or digit of a script that is written in letters; Han characters are not."""
    return unicodedata.category(character)[0] in "LN" and not "\u2e80" <= character <= "\u9fff"
