"""Name the classes of risk that rules can be about; policy/categories.toml lists them and says where they come from."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

LIST = Path(__file__).with_name("categories.toml")


@dataclass(frozen=True, slots=True)
class Category:
    """A class of risk, or one risk of a class."""

    code: str
    title: dict[str, str]

    def title_in(self, language: str) -> str:
        """Return the title in the language, or in English."""
        return self.title.get(language) or self.title["en"]


@cache
def categories() -> tuple[Category, ...]:
    """Return every class, each followed by its risks."""
    table = tomllib.loads(LIST.read_text(encoding="utf-8"))
    rows = sorted((*table["class"], *table["risk"]), key=lambda row: str(row["code"]))
    return tuple(Category(row["code"], row["title"]) for row in rows)
