"""Print what was measured as a table of figure, baseline, ratio and goal."""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from benchmarks._figures import Spread

UNJUDGED = ("INVALID", "not measured")
HEADINGS = ("figure", "measured", "spread", "baseline", "ratio", "goal", "")


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound on a row's value or, where `of` says so, on its ratio to the baseline."""

    kind: Literal["≤", "≥"]
    limit: float
    of: Literal["value", "ratio"] = "value"

    def is_met(self, figure: float) -> bool:
        """Return whether the figure keeps to the bound."""
        return figure <= self.limit if self.kind == "≤" else figure >= self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure. `ratio` is to the baseline; a row without a goal is there for what it tells.

    What is judged must lie within `plausible`, if that is given: a figure outside tells of a disturbed measurement, not
    of the portal, and meets no goal. NaN stands for what was not measured.
    """

    figure: str
    value: float
    unit: str
    spread: Spread | None = None
    baseline: float | None = None
    ratio: float | None = None
    goal: Goal | None = None
    plausible: tuple[float, float] | None = None

    @property
    def is_met(self) -> bool:
        """Return whether the row keeps its goal; true where it has none."""
        return self.verdict in {"", "met"}

    @property
    def verdict(self) -> str:
        """Return what is printed in the last column: "" where there is no goal."""
        if self.goal is None:
            return ""
        judged = self._judged()
        if math.isnan(judged):
            return "not measured"
        low, high = self.plausible or (-math.inf, math.inf)
        if not low <= judged <= high:
            return "INVALID"
        return "met" if self.goal.is_met(judged) else "MISSED"

    def cells(self) -> tuple[str, ...]:
        """Return the row as it is printed."""
        goal = ""
        if self.goal is not None:
            unit = self.unit if self.goal.of == "value" else ""
            goal = f"{self.goal.kind} {_number(self.goal.limit)} {unit}".rstrip()
        return (
            self.figure,
            f"{_number(self.value)} {self.unit}".rstrip(),
            f"{_number(self.spread.low)} … {_number(self.spread.high)}" if self.spread else "",
            "" if self.baseline is None else f"{_number(self.baseline)} {self.unit}".rstrip(),
            "" if self.ratio is None else f"{self.ratio:.3f}",
            goal,
            self.verdict,
        )

    def _judged(self) -> float:
        if self.goal is not None and self.goal.of == "ratio":
            return self.ratio if self.ratio is not None else float("nan")
        return self.value


@dataclass(slots=True)
class Report:
    """Gather rows under headings and print them once all are there."""

    title: str
    _rows: list[Row | str] = field(default_factory=list)

    def section(self, heading: str) -> None:
        """Begin a group of rows."""
        self._rows.append(heading)

    def add(self, *rows: Row) -> None:
        """Add rows to the group."""
        self._rows.extend(rows)

    @property
    def missed(self) -> list[Row]:
        """Return the rows that miss their goal."""
        return [row for row in self._rows if isinstance(row, Row) and not row.is_met]

    def print(self) -> None:
        """Print title, table and, as the last line, how many goals are met."""
        rows = [row for row in self._rows if isinstance(row, Row)]
        cells = [HEADINGS, *(row.cells() for row in rows)]
        widths = [max(_width(line[column]) for line in cells) for column in range(len(HEADINGS))]
        print(self.title)
        print(_line(HEADINGS, widths))
        for row in self._rows:
            print(_line(row.cells(), widths) if isinstance(row, Row) else f"\n{row}")
        print(f"\n{summary(rows)}")


def summary(rows: Sequence[Row]) -> str:
    """Return how many goals are met, and how many could not be judged."""
    verdicts = Counter(row.verdict for row in rows if row.goal is not None)
    unjudged = "".join(f"; {verdicts[word]} {word.lower()}" for word in UNJUDGED if verdicts[word])
    return f"goals met: {verdicts['met']} of {verdicts.total()}{unjudged}"


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    first, *rest = zip(cells, widths, strict=True)
    padded = [first[0] + " " * (first[1] - _width(first[0]))]
    padded += [" " * (width - _width(cell)) + cell for cell, width in rest]
    return "  ".join(padded).rstrip()


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _number(value: float) -> str:
    """Return three digits that count, without an exponent."""
    if value != 0 and abs(value) < 0.1:
        return f"{value:.3f}"
    if abs(value) < 10 and value != int(value):
        return f"{value:.2f}"
    if abs(value) < 100 and value != int(value):
        return f"{value:.1f}"
    return f"{value:,.0f}"
