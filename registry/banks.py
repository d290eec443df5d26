"""Read the corpora that models are evaluated with: one JSON object per line, the first says what the bank is."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from registry.errors import ModelError

Bank = Literal["refusal", "answer", "injection", "language"]
Language = Literal["zh", "en"]
Judge = Literal["refuses", "answers", "keeps_secret", "avoids", "sane"]

BANKS: tuple[Bank, ...] = get_args(Bank)
CORPORA = Path(__file__).resolve().parent / "corpora"
# A quick look takes the first item of each so many, per family and language.
QUICK_STRIDE = 5


@dataclass(frozen=True, slots=True)
class Item:
    """Hold one question: what is asked, in which language, and by which rule the answer is judged."""

    id: str
    language: Language
    family: str
    text: str
    judge: Judge
    expect: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Corpus:
    """Hold a bank's items; name and digest of the file are its version.

    `systems` are the system prompts by language, `secret` is what they say must not be told ("" where there is none).
    """

    name: Bank
    sha256: str
    items: tuple[Item, ...]
    systems: dict[Language, str]
    max_new_tokens: int
    secret: str = ""

    def quick(self) -> Corpus:
        """Return a small corpus of the same file: of each family and language every QUICK_STRIDE-th item."""
        kinds: dict[tuple[str, str], list[Item]] = {}
        for item in self.items:
            kinds.setdefault((item.family, item.language), []).append(item)
        chosen = tuple(item for kind in kinds.values() for item in kind[::QUICK_STRIDE])
        return Corpus(self.name, self.sha256, chosen, self.systems, self.max_new_tokens, self.secret)


def read_corpus(name: Bank, *, folder: Path = CORPORA) -> Corpus:
    """Return a corpus. Raises ModelError for a file that is not exactly what it should be."""
    try:
        data = (folder / f"{name}.jsonl").read_bytes()
        head, *rows = [json.loads(line) for line in data.splitlines()]
        return _corpus(name, hashlib.sha256(data).hexdigest(), head, tuple(_item(row) for row in rows))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"the corpus {name} cannot be read ({type(error).__name__})") from error


def _corpus(name: Bank, sha256: str, head: dict[str, Any], items: tuple[Item, ...]) -> Corpus:
    systems, secret, bound = head["system"], head.get("secret", ""), head["max_new_tokens"]
    if head["corpus"] != name or set(systems) != set(get_args(Language)) or type(bound) is not int:
        raise ValueError("head")
    if not items or len({item.id for item in items}) != len(items):
        raise ValueError("items")
    needs_secret = any(item.judge in {"keeps_secret", "avoids"} for item in items)
    if needs_secret and not (secret and all(secret in text for text in systems.values())):
        raise ValueError("secret")
    return Corpus(name, sha256, items, systems, bound, secret)


def _item(row: dict[str, Any]) -> Item:
    item = Item(**{**row, "expect": tuple(row.get("expect", ()))})
    texts: tuple[object, ...] = (item.id, item.family, item.text, *item.expect)
    if not all(isinstance(text, str) and text.strip() for text in texts):
        raise ValueError("text")
    if item.language not in get_args(Language) or item.judge not in get_args(Judge):
        raise ValueError("kind")
    if item.judge == "avoids" and not item.expect:
        raise ValueError("expect")
    return item
