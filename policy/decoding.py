"""Unwrap texts that are hidden by an encoding, so that they can be looked at like any other.

Work is bounded whatever the text: so many runs, so many characters, so many layers. A text that was seen before is not
looked at again, so encodings that lead in a circle end.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import html
import re
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import re2
from ahocorasick_rs import AhoCorasick

from policy.budget import Check, no_budget

MAX_LAYERS = 4
MAX_RUNS = 64
MAX_RUN_CHARS = 16_384
MAX_DECODED_CHARS = 65_536
# Texts of this length hold no instruction.
_MIN_CHARS = 6
# What a decoded run may hold of characters that are not text.
_MAX_UNPRINTABLE = 0.05
_LEET = str.maketrans("013457@$!|", "oieastasil")
# Word classes by which a text that was turned round or shifted by thirteen is recognised.
_MIN_LATIN, _MIN_HAN = 5, 2


@dataclass(frozen=True, slots=True)
class Run:
    """A part of a text, characters `start` to `end` (excluded), and what it decodes to."""

    kind: str
    start: int
    end: int
    text: str


@dataclass(slots=True)
class Allowance:
    """What may still be decoded of one text, and what has been; `is_spent` once something was left undone."""

    runs: int = MAX_RUNS
    characters: int = MAX_DECODED_CHARS
    seen: set[str] = field(default_factory=set)
    is_spent: bool = False
    check: Check = no_budget

    def takes(self, text: str) -> bool:
        """Return whether the text is new and may be looked at, and count it."""
        if text in self.seen:
            return False
        if self.runs <= 0 or len(text) > self.characters:
            self.is_spent = True
            return False
        self.runs -= 1
        self.characters -= len(text)
        self.seen.add(text)
        return True


def _base64(run: str) -> bytes:
    plain = run.rstrip("=").replace("-", "+").replace("_", "/")
    plain = plain[: len(plain) - (len(plain) % 4 == 1)]
    return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)


def _base32(run: str) -> bytes:
    plain = run.rstrip("=")
    return base64.b32decode(plain + "=" * (-len(plain) % 8))


def _hexadecimal(run: str) -> bytes:
    digits = re.sub(r"0x|\\x|[^0-9a-fA-F]", "", run)
    return bytes.fromhex(digits[: len(digits) // 2 * 2])


def _binary(run: str) -> bytes:
    digits = re.sub(r"[^01]", "", run)
    return bytes(int(digits[at : at + 8], 2) for at in range(0, len(digits) - 7, 8))


def _escaped(run: str) -> bytes:
    return re.sub(r"\\u\{?([0-9a-fA-F]{4,6})\}?", _escape, run).encode("utf-8", "replace")


def _escape(match: re.Match[str]) -> str:
    code = int(match[1], 16)
    return chr(code) if code < 0x110000 else ""


def _entities(run: str) -> bytes:
    return html.unescape(run).encode("utf-8", "replace")


def _tags(run: str) -> bytes:
    return bytes(ord(letter) - 0xE0000 for letter in run)


# How each encoding looks, and how it is undone. A run ends where its alphabet does.
_ENCODINGS: tuple[tuple[str, str, Callable[[str], bytes]], ...] = (
    ("binary", r"(?:[01]{8}[ ,]?){6,}", _binary),
    ("hex", r"(?:(?:0x|\\x)?[0-9A-Fa-f]{2}[ ,:]?){10,}", _hexadecimal),
    ("base32", r"[A-Z2-7]{24,}={0,6}", _base32),
    ("base64", r"[A-Za-z0-9+/_-]{16,}={0,2}", _base64),
    ("url", r"[^\s%]{0,64}(?:%[0-9A-Fa-f]{2}[^\s%]{0,64}){3,}", urllib.parse.unquote_to_bytes),
    ("escape", r"(?:\\u\{?[0-9A-Fa-f]{4,6}\}?){3,}", _escaped),
    # Tag characters: ASCII that nobody sees and a model can read. Flags have five of them at the most.
    ("tags", r"[\x{E0020}-\x{E007E}]{6,}", _tags),
    ("entity", r"(?:&#(?:[0-9]{2,7}|[xX][0-9A-Fa-f]{2,6});\s?){3,}", _entities),
)
_PATTERNS = tuple((kind, re2.compile(pattern), undo) for kind, pattern, undo in _ENCODINGS)
_ANY = re2.compile("|".join(f"(?:{pattern})" for _, pattern, _ in _ENCODINGS))
_LEET_WORD = re2.compile(r"[a-z][0134570@$!|]{1,2}[a-z]")


class Turned:
    """Recognise texts that stand backwards or are shifted by thirteen, by words that they would then contain."""

    def __init__(self, words: list[str]) -> None:
        plain = {word for word in words if len(word) >= (_MIN_LATIN if word.isascii() else _MIN_HAN)}
        shifted = {codecs.encode(word, "rot13") for word in plain if word.isascii()}
        backwards = {word[::-1] for word in plain} - plain
        ordered = [*sorted(backwards), *sorted(shifted - backwards - plain)]
        self._first_shifted = len(backwards)
        self._search = AhoCorasick(ordered) if ordered else None

    def kinds(self, core: str) -> Iterator[str]:
        """Yield how the text seems to be turned; two words have to say so."""
        if self._search is None:
            return
        found = {number for number, _, _ in self._search.find_matches_as_indexes(core)}
        shifted = sum(number >= self._first_shifted for number in found)
        if shifted > 1:
            yield "rot13"
        if len(found) - shifted > 1:
            yield "reversed"


def decode_runs(text: str, allowance: Allowance) -> Iterator[Run]:
    """Yield what the encoded runs of a text decode to, as far as the allowance goes."""
    # Half a character has no encoding, and the places stay the same.
    text = text.encode("utf-8", "replace").decode("utf-8")
    if not _ANY.search(text):
        return
    for kind, pattern, undo in _PATTERNS:
        for match in pattern.finditer(text):
            allowance.check()
            if allowance.is_spent:
                return
            decoded = _decode(match.group()[:MAX_RUN_CHARS], undo)
            if decoded and allowance.takes(decoded):
                yield Run(kind, match.start(), match.end(), decoded)
            if decoded and match.end() - match.start() > MAX_RUN_CHARS:
                allowance.is_spent = True


def turn(text: str, kind: str) -> str:
    """Return a text turned back."""
    if kind == "reversed":
        return text[::-1]
    return codecs.encode(text, "rot13") if kind == "rot13" else text.translate(_LEET)


def is_leet(letters: bytes) -> bool:
    """Return whether digits and marks stand inside words, as in 1gn0r3."""
    return sum(1 for _, _ in zip(range(3), _LEET_WORD.finditer(letters), strict=False)) > 2


def _decode(run: str, undo: Callable[[str], bytes]) -> str:
    """Return the text that a run stands for; none where it is no text."""
    try:
        decoded = undo(run).decode("utf-8", "ignore")
    except (ValueError, binascii.Error):
        return ""
    odd = sum(not letter.isprintable() and letter not in "\n\t" for letter in decoded)
    is_text = len(decoded) >= _MIN_CHARS and odd <= _MAX_UNPRINTABLE * len(decoded)
    return decoded if is_text else ""
