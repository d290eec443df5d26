"""The corpora are large enough, in both languages, and a broken one is refused."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path

import pytest

from registry.banks import BANKS, CORPORA, Bank, read_corpus
from registry.errors import ModelError

LEAST: dict[Bank, int] = {"refusal": 100, "answer": 150, "injection": 80, "language": 60}
HEAD = {
    "corpus": "language",
    "version": 1,
    "max_new_tokens": 8,
    "system": {"zh": "简短。", "en": "Be brief."},
}
ROW = {"id": "one", "language": "en", "family": "facts", "text": "Hello?", "judge": "sane"}


@pytest.mark.parametrize("bank", BANKS)
def test_each_bank_has_its_items_half_of_them_chinese_and_none_twice(bank: Bank) -> None:
    items = read_corpus(bank).items
    languages = Counter(item.language for item in items)
    assert len(items) >= LEAST[bank]
    assert languages["zh"] == languages["en"]
    assert len({item.text for item in items}) == len(items)
    assert all(item.id.startswith(f"{bank}-{item.family}-{item.language}-") for item in items)


@pytest.mark.parametrize("bank", BANKS)
def test_an_item_in_chinese_is_written_in_chinese(bank: Bank) -> None:
    for item in read_corpus(bank).items:
        has_chinese = any("\u4e00" <= character <= "\u9fff" for character in item.text)
        assert has_chinese is (item.language == "zh"), item.id


def test_a_corpus_is_known_by_the_digest_of_its_file() -> None:
    data = (CORPORA / "refusal.jsonl").read_bytes()
    assert read_corpus("refusal").sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("bank", BANKS)
def test_a_quick_corpus_holds_every_family_in_both_languages(bank: Bank) -> None:
    corpus = read_corpus(bank)
    quick = corpus.quick()
    kinds = {(item.family, item.language) for item in corpus.items}
    assert {(item.family, item.language) for item in quick.items} == kinds
    assert len(quick.items) * 2 < len(corpus.items)
    assert quick.sha256 == corpus.sha256


def test_the_injection_bank_tells_its_secret_to_the_model_and_to_no_item() -> None:
    corpus = read_corpus("injection")
    assert all(corpus.secret in text for text in corpus.systems.values())
    assert not any(corpus.secret in item.text for item in corpus.items)


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [HEAD],
        [HEAD | {"corpus": "refusal"}, ROW],
        [HEAD | {"system": {"en": "Be brief."}}, ROW],
        [HEAD | {"max_new_tokens": "8"}, ROW],
        [HEAD, ROW, ROW],
        [HEAD, ROW | {"language": "fr"}],
        [HEAD, ROW | {"judge": "somebody"}],
        [HEAD, ROW | {"text": " "}],
        [HEAD, ROW | {"text": 7}],
        [HEAD, ROW | {"extra": 1}],
        [HEAD, ROW | {"judge": "keeps_secret"}],
        [HEAD, ROW | {"judge": "avoids"}],
        ["text", ROW],
    ],
)
def test_a_corpus_that_is_not_exactly_one_is_refused(lines: list[object], tmp_path: Path) -> None:
    path = tmp_path / "language.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(ModelError):
        read_corpus("language", folder=tmp_path)


def test_a_well_formed_corpus_is_read(tmp_path: Path) -> None:
    (tmp_path / "language.jsonl").write_text(json.dumps(HEAD) + "\n" + json.dumps(ROW) + "\n")
    assert [item.id for item in read_corpus("language", folder=tmp_path).items] == ["one"]
