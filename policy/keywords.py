"""Find very many keywords in one pass, as they are written and pulled apart.

A keyword of letters and digits is looked for in the core of a text. A match there counts where its letters really
belong together in the letters of the text:

- a Latin word or number stands alone: no other Latin letter or digit touches it;
- between two of its letters there may be up to MAX_GAP marks (* - _ · and the like), for Chinese also blanks, or up to
  MAX_MARKUP marks of Markdown (**保****本**);
- blanks inside a Latin word, marks that end a sentence or a clause inside any word, and anything inside a number count
  only where the same stands between all letters (s e c r e t; 机，密，件), of which there must be three at the least;
- where the keyword itself has a blank or a mark, anything of that length may stand, or nothing.

A keyword with other marks (绝密★, secret//noforn) is looked for in the letters, mark by mark.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ahocorasick_rs import AhoCorasick, MatchKind

from policy.normalise import Normalised, normalise

MAX_GAP = 3
MAX_MARKUP = 6
_MARKUP = re.compile(r"[*_~`]*")
_HARD = re.compile(r"[\n\t。！？；：，、,;:!?()\[\]（）《》〈〉「」『』“”\"]")
_BLANK = re.compile(r"\s")
# Words of letters and digits, joined by what people leave out or put in without thinking.
_PLAIN = re.compile(r"[^\W_]+(?:[ \-'’.·_&]{1,3}[^\W_]+)*")


@dataclass(frozen=True, slots=True)
class Keyword:
    """A keyword as it is looked for: `core` or, for one with marks that count, `literal`; `owner` is whose it is."""

    owner: int
    core: str
    literal: str
    breaks: frozenset[int]


@dataclass(frozen=True, slots=True)
class Found:
    """A keyword that was found at letters `start` to `end` (excluded)."""

    start: int
    end: int
    keyword: Keyword


def read_keyword(word: str, *, owner: int) -> Keyword:
    """Return the keyword as it is looked for. Raise ValueError where nothing of it can be seen."""
    letters = normalise(word.strip()).letters.strip()
    if not letters:
        raise ValueError("a keyword is empty, or nothing of it can be seen")
    if letters.isalnum():
        return Keyword(owner, letters, "", frozenset())
    if not _PLAIN.fullmatch(letters):
        return Keyword(owner, "", letters, frozenset())
    core = normalise(letters).core
    return Keyword(owner, core.text, "", frozenset(core.places.starts[1:]))


class KeywordIndex:
    """Hold keywords of any number; looking for them costs the same for ten or a hundred thousand."""

    def __init__(self, keywords: Iterable[Keyword]) -> None:
        words = list(keywords)
        self._cores = _Automaton([word for word in words if word.core], [w.core for w in words if w.core])
        self._literals = _Automaton(
            [word for word in words if word.literal], [w.literal for w in words if w.literal]
        )

    def find(self, seen: Normalised) -> Iterator[Found]:
        """Yield every keyword that is there, those that overlap included."""
        for keyword, start, end in self._literals.matches(seen.letters):
            if start >= seen.context:
                yield Found(start, end, keyword)
        if not self._cores.is_empty:
            yield from self._find_cores(seen)

    def _find_cores(self, seen: Normalised) -> Iterator[Found]:
        core = seen.core
        for keyword, start, end in self._cores.matches(core.text):
            first, last = core.places.back(start), core.places.back(end - 1)
            if first < seen.context or _touches(seen.letters, first, last):
                continue
            if last - first == end - 1 - start or _holds_together(seen, keyword, start):
                yield Found(first, last + 1, keyword)

    def open_from(self, seen: Normalised) -> int:
        """Return the first letter from which on the text may be the beginning of a keyword, or be one that more text
        would make part of a longer word; the length of the letters where there is none."""
        letters = seen.letters
        opened = len(letters) - self._literals.longest_beginning(letters[seen.context :])
        if not self._cores.is_empty:
            core = seen.core
            length = self._cores.longest_beginning(core.text[core.context :])
            if length and _may_lie_between(letters[core.places.back(len(core.text) - 1) + 1 :]):
                opened = min(opened, core.places.back(len(core.text) - length))
        return opened


class KeywordIndexes:
    """Several indexes as one. Stages share those of the rules that act at the same ones, for there may be very many
    words."""

    def __init__(self, parts: Iterable[KeywordIndex]) -> None:
        self._parts = tuple(parts)

    def find(self, seen: Normalised) -> Iterator[Found]:
        """Yield every keyword that is there."""
        for part in self._parts:
            yield from part.find(seen)

    def open_from(self, seen: Normalised) -> int:
        """Return the first letter from which on the text may be the beginning of a keyword."""
        return min((part.open_from(seen) for part in self._parts), default=len(seen.letters))


class _Automaton:
    """Find texts, and say how much of the end of a text may be the beginning of one."""

    def __init__(self, keywords: Sequence[Keyword], texts: Sequence[str]) -> None:
        self._keywords = keywords
        self._sorted = sorted(set(texts))
        self._longest = max(map(len, texts), default=0)
        self._search = (
            AhoCorasick(texts, matchkind=MatchKind.Standard, store_patterns=False) if texts else None
        )

    @property
    def is_empty(self) -> bool:
        """Return whether there is nothing to find."""
        return self._search is None

    def matches(self, text: str) -> Iterator[tuple[Keyword, int, int]]:
        """Yield each text that is there with its place."""
        if self._search is not None:
            for number, start, end in self._search.find_matches_as_indexes(text, overlapping=True):
                yield self._keywords[number], start, end

    def longest_beginning(self, text: str) -> int:
        """Return the length of the longest end of `text` with which one of the texts begins."""
        for length in range(min(self._longest, len(text)), 0, -1):
            if self._has_beginning(text[len(text) - length :]):
                return length
        return 0

    def _has_beginning(self, end: str) -> bool:
        at = bisect_left(self._sorted, end)
        return at < len(self._sorted) and self._sorted[at].startswith(end)


def _is_latin(letter: str) -> bool:
    return letter.isalnum() and letter < "\u2e80"


def _touches(letters: str, first: int, last: int) -> bool:
    """Return whether a Latin word or number goes on before or behind."""
    before = first > 0 and _is_latin(letters[first]) and _is_latin(letters[first - 1])
    return before or (last + 1 < len(letters) and _is_latin(letters[last]) and _is_latin(letters[last + 1]))


def _holds_together(seen: Normalised, keyword: Keyword, start: int) -> bool:
    """Return whether the letters of a match that do not stand side by side belong together all the same."""
    places = [seen.core.places.back(start + offset) for offset in range(len(keyword.core))]
    gaps = [seen.letters[left + 1 : right] for left, right in pairwise(places)]
    if not all(map(_may_lie_between, gaps)):
        return False
    inner = [(offset, gap) for offset, gap in enumerate(gaps) if offset + 1 not in keyword.breaks]
    if all(not gap or _is_soft(keyword.core[at : at + 2], gap) for at, gap in inner):
        return True
    return len(inner) > 1 and len({gap for _, gap in inner}) == 1


def _may_lie_between(gap: str) -> bool:
    """Return whether a gap is short enough to belong to a word."""
    return len(gap) <= MAX_GAP or (len(gap) <= MAX_MARKUP and _MARKUP.fullmatch(gap) is not None)


def _is_soft(pair: str, gap: str) -> bool:
    """Return whether a gap between two letters is a mere trick and no end of a word."""
    if _HARD.search(gap) or pair.isdigit():
        return False
    return not (_BLANK.search(gap) and _is_latin(pair[0]) and _is_latin(pair[1]))
