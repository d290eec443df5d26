"""The Chinese catalogue is whole, and the compiled file is the one that was written."""

from __future__ import annotations

import re
from pathlib import Path

import polib

CATALOGUE = Path(__file__).resolve().parents[2] / "locale" / "zh_Hans" / "LC_MESSAGES"
ENTRIES = list(polib.pofile(str(CATALOGUE / "django.po")))
PLACEHOLDER = re.compile(r"%\([a-z_]+\)[sd]|\{[a-z]+\}|</?[a-z]+")


def texts(entry: polib.POEntry) -> list[str]:
    return list(entry.msgstr_plural.values()) if entry.msgid_plural else [entry.msgstr]


def test_every_message_is_translated_and_none_is_guessed() -> None:
    assert [entry.msgid for entry in ENTRIES if entry.obsolete or "fuzzy" in entry.flags] == []
    assert [entry.msgid for entry in ENTRIES if not all(texts(entry))] == []


def test_placeholders_survive_translation() -> None:
    def wrong(entry: polib.POEntry) -> bool:
        wanted = sorted(PLACEHOLDER.findall(entry.msgid_plural or entry.msgid))
        return any(sorted(PLACEHOLDER.findall(text)) != wanted for text in texts(entry))

    assert [entry.msgid for entry in ENTRIES if wrong(entry)] == []


def test_the_compiled_catalogue_is_up_to_date() -> None:
    compiled = {entry.msgid: texts(entry) for entry in polib.mofile(str(CATALOGUE / "django.mo"))}
    assert compiled == {entry.msgid: texts(entry) for entry in ENTRIES}
