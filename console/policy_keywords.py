"""Look through a long list of keywords page by page, and work out what adding and taking out does to it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from policy.keywords import read_keyword
from policy.normalise import normalise

# Fewer than the fields that a form may have.
PAGE = 80


@dataclass(frozen=True, slots=True)
class WordPage:
    """One page of the words that were asked for; pages count from 1."""

    words: tuple[str, ...]
    number: int
    pages: int
    found: int
    total: int
    wanted: str


@dataclass(frozen=True, slots=True)
class Edited:
    """A list as it would be: what came, what was there already, and what cannot be a keyword, with why not."""

    words: tuple[str, ...]
    added: int
    known: int
    refused: tuple[str, ...]


def page_of(words: Sequence[str], *, number: int, wanted: str) -> WordPage:
    """Return a page of the words that have the wanted text in them, as the engine reads both."""
    sought = normalise(wanted).letters.strip()
    found = [word for word in words if sought in normalise(word).letters] if sought else list(words)
    pages = max(1, -(-len(found) // PAGE))
    number = min(max(number, 1), pages)
    shown = tuple(found[(number - 1) * PAGE : number * PAGE])
    return WordPage(shown, number, pages, len(found), len(words), wanted)


def with_words(words: Sequence[str], typed: str) -> Edited:
    """Return the list with the typed words, one a line, behind it."""
    lines = dict.fromkeys(line.strip() for line in typed.splitlines() if line.strip())
    known = set(words)
    fresh = [line for line in lines if line not in known]
    refused = {line: why for line in fresh if (why := _fault(line))}
    added = [line for line in fresh if line not in refused]
    return Edited(
        (*words, *added),
        len(added),
        len(lines) - len(fresh),
        tuple(f"{line}: {why}" for line, why in refused.items()),
    )


def without_words(words: Sequence[str], gone: Collection[str]) -> tuple[str, ...]:
    """Return the list without these words."""
    return tuple(word for word in words if word not in gone)


def _fault(word: str) -> str:
    try:
        read_keyword(word, owner=0)
    except ValueError as error:
        return str(error)
    return ""
