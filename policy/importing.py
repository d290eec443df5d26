"""Read an organisation's own lists: text with a word a line, CSV with a header, or JSON lines.

CSV and JSON lines need `word`; `category` sorts the words into lists. A JSON line with `code` is a whole rule, as
`policy export` writes them. Every error names the line; what a rule may say is looked at by whoever takes it.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from policy.corpus import Sample
from policy.engine import find_matches
from policy.keywords import read_keyword
from policy.normalise import normalise
from policy.ruleset import MAX_WORD_CHARS, PolicyRule, make_rule_set

MAX_FILE_BYTES = 64 << 20
COLUMNS = frozenset({"word", "category"})


class ListError(ValueError):
    """A list cannot be read; the text names file and line."""


@dataclass(slots=True)
class WordList:
    """What a file holds: words by category, whole rules, and what is worth a second look.

    Two words are the same where they are looked for as the same letters. `duplicates` and `short` are line numbers with
    words; a short word has one letter only.
    """

    words: dict[str, list[str]] = field(default_factory=dict)
    rules: list[dict[str, Any]] = field(default_factory=list)
    duplicates: list[tuple[int, str]] = field(default_factory=list)
    short: list[tuple[int, str]] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Return how many words there are."""
        return sum(map(len, self.words.values()))

    @property
    def all_words(self) -> list[str]:
        """Return the words of the lists and those of the rules."""
        lists = [*self.words.values(), *map(_keywords, self.rules)]
        return [word for words in lists for word in words]


Progress = Callable[[Iterable[tuple[int, dict[str, Any]]]], Iterable[tuple[int, dict[str, Any]]]]


def read_list(path: Path, *, progress: Progress = iter) -> WordList:
    """Return what a file holds. Raises ListError."""
    lines = _lines(path)
    readers = {".txt": _read_text, ".csv": _read_csv, ".jsonl": _read_json}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise ListError(f"{path.name}: a list is a .txt, .csv or .jsonl file")
    found, seen = WordList(), set[str]()
    for number, row in progress(reader(path.name, lines)):
        if "code" in row:
            found.rules.append(row)
            found.short += _short_words(row, number)
        else:
            _take(row, found, seen, number=number, where=f"{path.name}, line {number}")
    if not found.count and not found.rules:
        raise ListError(f"{path.name}: holds no word")
    return found


def broad_words(words: Sequence[str], samples: Iterable[Sample], *, limit: int) -> list[tuple[str, int]]:
    """Return words that are found in more than `limit` benign samples, the most frequent first, with how many."""
    rule = PolicyRule(
        code="LIST", title={"en": ""}, kind="keywords", actions={"input": "flag"}, mask="", order=0,
        words=tuple(words),
    )  # fmt: skip
    acting = make_rule_set([rule], version="list").at("input")
    letters: dict[str, int] = {}
    for sample in samples:
        if sample.is_benign:
            for form in {match.form for match in find_matches(normalise(sample.text), acting)}:
                letters[form] = letters.get(form, 0) + 1
    return sorted(
        ((form, count) for form, count in letters.items() if count > limit), key=lambda row: -row[1]
    )


def _short_words(row: dict[str, Any], number: int) -> list[tuple[int, str]]:
    """Return the words of one letter of a whole rule; what else is wrong with the rule is said where it is written."""
    words = row.get("keywords")
    texts = [word for word in words if isinstance(word, str)] if isinstance(words, list) else []
    return [(number, word) for word in texts if len(normalise(word[: MAX_WORD_CHARS + 1]).core.text) == 1]


def _take(row: dict[str, Any], found: WordList, seen: set[str], *, number: int, where: str) -> None:
    word, category = row["word"], row.get("category") or ""
    if not isinstance(word, str) or not isinstance(category, str):
        raise ListError(f"{where}: word and category are texts")
    word = word.strip()
    if len(word) > MAX_WORD_CHARS:
        raise ListError(f"{where}: the word is longer than {MAX_WORD_CHARS} characters")
    try:
        keyword = read_keyword(word, owner=0)
    except ValueError as error:
        raise ListError(f"{where}: {error}") from error
    letters = keyword.core or keyword.literal
    if letters in seen:
        found.duplicates.append((number, word))
        return
    seen.add(letters)
    if len(letters) == 1:
        found.short.append((number, word))
    found.words.setdefault(category, []).append(word)


def _keywords(row: dict[str, Any]) -> list[str]:
    """Return the words of a rule; none where they are not words, which whoever takes the rule tells."""
    words = row.get("keywords", [])
    return [word for word in words if _is_keyword(word)] if isinstance(words, list) else []


def _is_keyword(word: Any) -> bool:
    try:
        return isinstance(word, str) and len(word) <= MAX_WORD_CHARS and bool(read_keyword(word, owner=0))
    except ValueError:
        return False


def _lines(path: Path) -> list[str]:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ListError(f"{path.name}: is larger than {MAX_FILE_BYTES >> 20} MiB")
        data = path.read_bytes()
    except OSError as error:
        raise ListError(f"{path.name}: {error.strerror}") from error
    lines = []
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        try:
            lines.append(line.removesuffix(b"\r").decode())
        except UnicodeDecodeError as error:
            raise ListError(f"{path.name}, line {number}: is not UTF-8") from error
    return lines


def _read_text(_name: str, lines: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield number, {"word": line}


def _read_csv(name: str, lines: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.reader(lines, strict=True)
    try:
        header = [column.strip().lower() for column in next(reader, [])]
        if "word" not in header or not set(header) <= COLUMNS or len(set(header)) != len(header):
            raise ListError(f"{name}, line 1: the columns are word and, if wanted, category")
        for row in reader:
            if row and len(row) != len(header):
                raise ListError(
                    f"{name}, line {reader.line_num}: has {len(row)} columns instead of {len(header)}"
                )
            if any(cell.strip() for cell in row):
                yield reader.line_num, dict(zip(header, row, strict=True))
    except csv.Error as error:
        raise ListError(f"{name}, line {reader.line_num}: {error}") from error


def _read_json(name: str, lines: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ListError(f"{name}, line {number}: is not JSON") from error
        if not isinstance(row, dict) or not ("code" in row or ("word" in row and row.keys() <= COLUMNS)):
            raise ListError(
                f"{name}, line {number}: needs word and, if wanted, category; or a rule with code"
            )
        yield number, row
