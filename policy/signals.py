"""Read the table of injection signals, and find them in a text. Pure; the table is policy/signals.toml."""

from __future__ import annotations

import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import re2

from policy.budget import Check, no_budget
from policy.decoding import Turned
from policy.keywords import Found, KeywordIndex, read_keyword
from policy.normalise import Normalised

TABLE = Path(__file__).with_name("signals.toml")
# Enough for any text of a person; a text made of nothing else is judged by its first ones.
MAX_WORDS = 20_000


@dataclass(frozen=True, slots=True)
class Signal:
    """Something that attacks have in common. It shows as words of `sequence` within so many letters, or as `form`."""

    name: str
    family: str
    title: dict[str, str]
    points: float
    sequence: tuple[str, ...] = ()
    within: int = 0
    is_any_order: bool = False
    form: Any = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A signal at characters `start` to `end` (excluded) of the text; `layers` are the encodings it was found under."""

    name: str
    points: float
    start: int
    end: int
    layers: tuple[str, ...] = ()


class SignalTable:
    """The signals, ready to be found; those of the families in `without` are left out, with their words."""

    def __init__(
        self, signals: Iterable[Signal], words: dict[str, list[str]], *, without: frozenset[str]
    ) -> None:
        self.signals = tuple(signal for signal in signals if signal.family not in without)
        used = {name for signal in self.signals for name in signal.sequence}
        self._classes = [name for name in words if name in used]
        self._index = KeywordIndex(
            read_keyword(word, owner=owner)
            for owner, name in enumerate(self._classes)
            for word in words[name]
        )
        self._sequences = tuple(signal for signal in self.signals if signal.sequence)
        self._forms = tuple(signal for signal in self.signals if signal.form is not None)
        self._any_form = re2.compile(
            "|".join(f"(?:{s.form.pattern})" for s in self._forms) or r"[^\x00-\x{10FFFF}]"
        )
        self.is_decoding = "encoding" not in without
        # Those that only an instruction would hold, so that turned text is not seen everywhere.
        telling = [
            word for name in ("drop", "rules", "show", "hidden", "unlimited", "obey") for word in words[name]
        ]
        self.turned = Turned(
            [read_keyword(word, owner=0).core for word in telling] if self.is_decoding else []
        )

    def words_in(self, seen: Normalised, *, check: Check = no_budget) -> dict[str, list[Found]]:
        """Return the words of each class, from the left. Raises what `check` raises."""
        found: dict[str, list[Found]] = defaultdict(list)
        for _, word in zip(range(MAX_WORDS), self._index.find(seen), strict=False):
            check()
            found[self._classes[word.keyword.owner]].append(word)
        return found

    def find(self, seen: Normalised, words: dict[str, list[Found]]) -> Iterator[Hit]:
        """Yield every signal of a text with these words, with its place in the original."""
        for signal, start, end in (*self._find_sequences(words), *self._find_forms(seen)):
            yield Hit(signal.name, signal.points, *seen.span(start, end))

    def _find_sequences(self, words: dict[str, list[Found]]) -> Iterator[tuple[Signal, int, int]]:
        for signal in self._sequences:
            if all(name in words for name in signal.sequence):
                for start, end in _sequences([words[name] for name in signal.sequence], signal):
                    yield signal, start, end

    def _find_forms(self, seen: Normalised) -> Iterator[tuple[Signal, int, int]]:
        if not self._any_form.search(seen.data):
            return
        for signal in self._forms:
            for match in signal.form.finditer(seen.data):
                start, end = match.span()
                if end > start:
                    yield signal, seen.letter_at(start), seen.letter_at(end)


def _sequences(classes: Sequence[list[Found]], signal: Signal) -> Iterator[tuple[int, int]]:
    """Yield where a word of each class stands close together, from the left; those places do not overlap."""
    if len(classes) == 1:
        yield from ((word.start, word.end) for word in classes[0])
        return
    words = sorted(
        ((word.start, word.end, number) for number, found in enumerate(classes) for word in found),
    )
    last: list[list[tuple[int, int]]] = [[] for _ in classes]
    free_from = 0
    for start, end, number in words:
        if start < free_from:
            continue
        last[number] = [*last[number][-2:], (start, end)]
        first = _first_of(last, number, signal)
        if first is not None and end - first <= signal.within:
            yield first, end
            free_from = end
            last = [[] for _ in classes]


def _first_of(last: list[list[tuple[int, int]]], number: int, signal: Signal) -> int | None:
    """Return where the sequence that ends with the newest word of class `number` begins."""
    chain = [last[number][-1]]
    others = [at for at in reversed(range(len(last))) if at != number]
    if not signal.is_any_order and number != len(last) - 1:
        return None
    for other in others:
        if signal.is_any_order:
            before = next((word for word in reversed(last[other]) if not _overlaps(word, chain)), None)
        else:
            before = next((word for word in reversed(last[other]) if word[1] <= chain[-1][0]), None)
        if before is None:
            return None
        chain.append(before)
    return min(start for start, _ in chain)


def _overlaps(word: tuple[int, int], chain: list[tuple[int, int]]) -> bool:
    return any(word[0] < end and start < word[1] for start, end in chain)


def read_table(path: Path = TABLE, *, without: Iterable[str] = ()) -> SignalTable:
    """Return the signals of a table."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    signals = [_read(row) for row in (*table["signal"], *table["form"])]
    names = [signal.name for signal in signals]
    if len(set(names)) != len(names):
        raise ValueError("two signals have the same name")
    return SignalTable(signals, table["words"], without=frozenset(without))


@cache
def default_table() -> SignalTable:
    """Return the signals that come with the portal."""
    return read_table()


# Signals that no row of the table describes: what the model of wording says, and what decoding finds.
_OTHERS = {
    "wording": {"en": "Wording, by the model", "zh-hans": "措辞（模型判断）"},
    "encoding.hidden": {"en": "Hidden by an encoding", "zh-hans": "以编码隐藏"},
    "encoding.unread": {"en": "Encoded too often to be read", "zh-hans": "编码层数或数量过多，无法读完"},
}


def signal_title(name: str, *, language: str) -> str:
    """Return what a signal of the portal's own is called in the language, or in English."""
    titles = {signal.name: signal.title for signal in default_table().signals} | _OTHERS
    title = titles.get(name, {"en": name})
    return title.get(language) or title["en"]


def _read(row: dict[str, Any]) -> Signal:
    return Signal(
        name=row["name"],
        family=row["family"],
        title=row["title"],
        points=float(row["points"]),
        sequence=tuple(row.get("sequence", ())),
        within=row.get("within", 0),
        is_any_order=row.get("any_order", False),
        form=re2.compile(row["pattern"]) if "pattern" in row else None,
    )


def strongest_passage(hits: Iterable[Hit], *, length: int) -> tuple[float, list[Hit]]:
    """Return the most points that the signals of a passage of this many characters have together, and those signals.

    A signal counts once in a passage. Time is that of sorting.
    """
    ordered = sorted(hits, key=lambda hit: (hit.start, hit.end, hit.name, hit.layers))
    best: tuple[float, list[Hit]] = (0.0, [])
    counts: Counter[tuple[str, ...]] = Counter()
    total, first = 0.0, 0
    for at, hit in enumerate(ordered):
        if hit.end > ordered[first].start + length and total > best[0]:
            best = (total, ordered[first:at])
        while hit.end > ordered[first].start + length and first < at:
            counts[_key(ordered[first])] -= 1
            total -= 0.0 if counts[_key(ordered[first])] else ordered[first].points
            first += 1
        total += 0.0 if counts[_key(hit)] else hit.points
        counts[_key(hit)] += 1
    return (total, ordered[first:]) if total > best[0] else best


def _key(hit: Hit) -> tuple[str, ...]:
    return (hit.name, *hit.layers)
