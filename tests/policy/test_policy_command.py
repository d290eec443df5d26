"""Lists come in with a report, rules go out and back, and a corpus is measured through the whole path."""

from __future__ import annotations

import getpass
import json
import warnings
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from accounts.services import create_account
from policy import corpus, rulesets
from policy.base import base_rules
from policy.importing import ListError, broad_words, read_list
from policy.serving import rule_sets
from tenants.scope import tenant_scope
from tests.conftest import PASSWORD, Cast

Run = Callable[..., str]


@pytest.fixture
def run(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("ACCOUNT_PASSWORD", PASSWORD)
    rule_sets.cache_clear()

    def act(*words: object, by: str = "north/jun", tenant: str = "north") -> str:
        out = StringIO()
        person = ["--as", by] if by else []
        call_command("policy", *map(str, words), "--tenant", tenant, *person, stdout=out)
        return out.getvalue()

    return act


def write(folder: Path, name: str, data: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def test_a_list_goes_into_the_draft_and_by_two_people_into_force(
    run: Run, cast: Cast, tmp_path: Path
) -> None:
    create_account(
        tenant=cast.officer.tenant, login="hua", display_name="Hua", role="officer", password=PASSWORD
    )
    path = write(tmp_path, "projects.csv", "word,category\nbluebird,names\n机密项目,names\nBLUE-BIRD,names\n")
    said = run("import", path, "--action", "flag")
    assert "1 words appear twice" in said
    assert "line 4: BLUE-BIRD" in said
    assert "LIST-PROJECTS: 2 words" in said
    samples = write(tmp_path, "c.jsonl", '{"text": "where is bluebird", "label": "secret"}\n')
    run("try", "--corpus", samples)
    run("submit", "--reason", "new project")
    with pytest.raises(CommandError, match="second security officer"):
        run("approve", "--reason", "quick")
    run("approve", by="north/hua")
    assert "v1 is in force" in run("publish")
    assert cast.officer.tenant_id is not None
    assert rule_sets().load(cast.officer.tenant_id).version.endswith(".1")
    assert "v1" in run("versions", by="")
    (line,) = run("export").splitlines()
    assert json.loads(line)["keywords"] == ["bluebird", "机密项目"]
    back = write(tmp_path, "back.jsonl", line)
    assert "LIST-PROJECTS: 2 words" in run("import", back)


def test_a_rollback_that_waits_is_approved_and_published_at_the_terminal(
    run: Run, cast: Cast, tmp_path: Path
) -> None:
    create_account(
        tenant=cast.officer.tenant, login="hua", display_name="Hua", role="officer", password=PASSWORD
    )
    samples = write(tmp_path, "c.jsonl", '{"text": "where is bluebird", "label": "secret"}\n')
    with pytest.raises(CommandError, match="no rollback that waits"):
        run("approve", "--rollback", by="north/hua")
    for words in ("heron\n", "stork\n"):
        run("import", write(tmp_path, "a.txt", words))
        run("try", "--corpus", samples)
        run("submit")
        run("approve", by="north/hua")
        run("publish")
    assert "approve --rollback" in run("rollback", 1, "--reason", "no storks")
    run("approve", "--rollback", by="north/hua")
    assert "v3 is in force" in run("publish", "--rollback")
    assert json.loads(run("export"))["keywords"] == ["heron"]


def test_words_are_added_to_a_rule_or_take_their_place(run: Run, cast: Cast, tmp_path: Path) -> None:
    run("import", write(tmp_path, "a.txt", "heron\nstork\n"), "--code", "BIRDS-1")
    run("import", write(tmp_path, "b.txt", "crane\n"), "--code", "BIRDS-1")
    assert words_of(cast) == ["heron", "stork", "crane"]
    run("import", write(tmp_path, "c.txt", "ibis\n"), "--code", "BIRDS-1", "--replace")
    assert words_of(cast) == ["ibis"]


def words_of(cast: Cast) -> list[str]:
    assert cast.officer.tenant_id is not None
    with tenant_scope(cast.officer.tenant_id):
        return list(rulesets.layer_of(rulesets.open_draft())[0].row["keywords"])


def test_words_of_one_letter_need_force(run: Run, tmp_path: Path) -> None:
    path = write(tmp_path, "short.txt", "的\nsomething\n")
    with pytest.raises(CommandError, match="one letter"):
        run("import", path)
    assert "2 words in the draft" in run("import", path, "--force")


def test_words_of_one_letter_in_a_whole_rule_need_force_too(run: Run, tmp_path: Path) -> None:
    row = {"code": "SHORT-1", "title": {"en": "Short"}, "keywords": ["的", "heron"], "input": "block"}
    path = write(tmp_path, "short.jsonl", json.dumps(row))
    with pytest.raises(CommandError, match="one letter"):
        run("import", path)
    assert "2 words in the draft" in run("import", path, "--force")


@pytest.mark.parametrize(
    "bad",
    [
        {"code": "BAD-1", "title": {"en": "x"}, "pattern": "a*", "input": "block"},
        {"code": "BAD-1", "title": {"en": "x"}, "keywords": [1], "input": "block"},
        {"code": "BAD-1", "title": {"en": "x"}, "keywords": "heron", "input": "block"},
        {"code": "BAD-1", "title": {"en": "x"}, "keywords": ["\u200b"], "input": "block"},
        {"code": ["BAD-1"]},
    ],
)
def test_of_a_file_with_a_rule_that_cannot_work_nothing_is_taken(
    bad: dict[str, object], run: Run, cast: Cast, tmp_path: Path
) -> None:
    good = {"code": "GOOD-1", "title": {"en": "Good"}, "keywords": ["heron"], "input": "block"}
    path = write(tmp_path, "rules.jsonl", f"{json.dumps(good)}\n{json.dumps(bad)}\n")
    with pytest.raises(CommandError, match="BAD-1"):
        run("import", path)
    assert cast.officer.tenant_id is not None
    with tenant_scope(cast.officer.tenant_id):
        assert rulesets.open_draft() is None


def test_without_a_terminal_the_password_is_said_to_be_missing(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ACCOUNT_PASSWORD")

    def no_terminal(prompt: str) -> str:
        warnings.warn("it would be shown", getpass.GetPassWarning, stacklevel=1)
        raise EOFError

    monkeypatch.setattr(getpass, "getpass", no_terminal)
    with pytest.raises(CommandError, match="set ACCOUNT_PASSWORD"):
        run("export")


def test_words_found_in_ordinary_texts_are_reported() -> None:
    samples = [corpus.Sample(text, is_benign=True, category="", family="") for text in ("a law", "the law")]
    assert broad_words(["law", "heron"], samples, limit=1) == [("law", 2)]
    assert broad_words(["law"], samples, limit=2) == []


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.csv", "wort,category\nx,y\n", "line 1: the columns are word"),
        ("a.csv", "word,category\nheron,a\nheron\n", "line 3: has 1 columns"),
        ("a.csv", 'word\n"heron\n', "line 3: unexpected end"),
        ("a.txt", b"heron\nst\xffork\n", "line 2: is not UTF-8"),
        ("a.txt", "heron\n\u200b\u200b\n", "line 2: a keyword is empty"),
        ("a.txt", "x" * 300, "line 1: the word is longer"),
        ("a.txt", "\n\n", "holds no word"),
        ("a.jsonl", '{"word": "heron"}\n{"wort": 1}\n', "line 2: needs word"),
        ("a.jsonl", '{"word": 3}\n', "line 1: word and category are texts"),
        ("a.jsonl", "[" * 100_000, "line 1: is not JSON"),
        ("a.xlsx", "PK", "is a .txt, .csv or .jsonl file"),
    ],
)
def test_a_list_that_cannot_be_read_is_refused_with_file_and_line(
    name: str, data: str | bytes, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(ListError) as caught:
        read_list(write(tmp_path, name, data))
    assert str(caught.value).startswith(name)
    assert reason in str(caught.value)


def test_only_an_officer_of_the_organisation_acts(run: Run, tmp_path: Path) -> None:
    path = write(tmp_path, "a.txt", "heron\n")
    for by, tenant in (("north/wei", "north"), ("north/jun", "south")):
        with pytest.raises(CommandError, match="not yours to see"):
            run("import", path, by=by, tenant=tenant)
    with pytest.raises(CommandError, match="needs a person"):
        run("export", by="")
    with pytest.raises(CommandError, match="no organisation"):
        run("versions", tenant="west", by="")


def test_a_corpus_is_measured_by_category_and_thresholds_are_held(
    db: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(
        tmp_path,
        "c.jsonl",
        '{"text": "my key is AKIAABCDEFGHIJKLMNOP", "label": "secret", "category": "key"}\n'
        '{"text": "nothing to see", "label": "secret", "category": "key"}\n'
        '{"text": "good morning", "label": "benign", "family": "chat"}\n',
    )
    call_command("policy", "evaluate", str(path), "--at", "block")
    shown = capsys.readouterr().out
    assert "recall 50.0%, precision 100.0%, false positives 0.00%" in shown
    assert "key -> -: 1" in shown
    with pytest.raises(CommandError, match="threshold"):
        call_command("policy", "evaluate", str(path), "--check", "--recall", "0.9")
    figures = corpus.measure(corpus.read_corpus(path), base_rules()).as_json()
    assert (figures["texts"], figures["recall"]) == (3, 0.5)
    assert "morning" not in json.dumps(figures)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"text": "\xff", "label": "benign"}', "line 1: is not UTF-8"),
        (b'{"text": "x"}', "needs text and label"),
        (b"{", "is not JSON"),
        (b'{"text": 1, "label": "x"}', "are texts"),
    ],
)
def test_a_corpus_that_cannot_be_read_names_the_line(data: bytes, reason: str, tmp_path: Path) -> None:
    with pytest.raises(corpus.CorpusError, match=reason):
        list(corpus.read_corpus(write(tmp_path, "c.jsonl", data)))
