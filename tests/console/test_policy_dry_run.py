"""Dry runs of a draft from the console: short ones at once, long ones with progress and a stop."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from accounts.models import User
from console.policy_dry_run import read_dry_run
from console.policy_trials import TRIALS
from policy import corpus, rulesets
from policy.models import RuleSetVersion
from policy.ruleset import RuleSet
from tenants.scope import tenant_scope
from tests.conftest import Cast
from tests.console import policy_support as support
from tests.qwenportal.support import browser
from tests.tenants.support import tenant_of

JUDGE = corpus.judge


def do(person: User, act: str, version: RuleSetVersion, **form: str) -> Any:
    return browser(person).post(reverse(f"console:policy_{act}", args=[version.pk]), form)


def page(person: User, name: str = "policy", *args: object) -> str:
    return str(browser(person).get(reverse(f"console:{name}", args=args)).text)


def test_a_dry_run_counts_the_texts_that_come_with_the_portal(cast: Cast) -> None:
    version = support.draft(cast.officer)
    do(cast.officer, "try", version)
    folder = Path(corpus.__file__).with_name("corpora")
    rows = [json.loads(line) for path in folder.glob("*.jsonl") for line in path.read_text().splitlines()]
    attacks = sum(row["label"] == "attack" for row in rows)
    with tenant_scope(tenant_of(cast.officer)):
        found = RuleSetVersion.objects.get(pk=version.pk).figures["draft"]
    assert found["texts"] == len(rows)
    assert sum(group["texts"] for group in found["categories"]) == attacks
    assert sum(group["texts"] for group in found["benign"]) == len(rows) - attacks


def test_the_figures_tell_precision_by_category_and_what_was_taken_for_what(cast: Cast) -> None:
    version = support.draft(cast.officer)
    current = {
        "confusion": [
            {"expected": "names", "decided": "-", "texts": 3},
            {"expected": "benign", "decided": "-", "texts": 8},
        ]
    }
    draft = {
        "confusion": [
            {"expected": "names", "decided": "A1", "texts": 2},
            {"expected": "names", "decided": "-", "texts": 1},
            {"expected": "benign", "decided": "A1", "texts": 1},
            {"expected": "benign", "decided": "-", "texts": 7},
        ]
    }
    rest = {"texts": 11, "recall": 0, "precision": 0, "false_positives": 0, "categories": [], "benign": []}
    with tenant_scope(tenant_of(cast.officer)):
        rulesets.note_dry_run(version, {"draft": rest | draft, "current": rest | current}, by=cast.officer)
    shown = read_dry_run(version)
    assert shown is not None
    assert [(row.name, row.draft, row.current) for row in shown.precise] == [("A1", "2 / 3", "0 / 0")]
    lines = [(line.expected, line.decided, line.draft, line.current) for line in shown.confusion]
    assert lines == [("", "A1", 1, 0), ("names", "", 1, 3), ("", "", 7, 8), ("names", "A1", 2, 0)]
    assert [line.is_wrong for line in shown.confusion] == [True, True, False, False]
    html = page(cast.officer, "policy_version", version.pk)
    assert "Right among those caught by rules of: A1" in " ".join(html.split())
    assert "none: let through" in html


@pytest.mark.django_db(transaction=True)
def test_a_long_dry_run_shows_how_far_it_is_and_keeps_its_figures(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = hold(monkeypatch)
    version = support.draft(cast.officer)
    do(cast.officer, "try", version)
    answer = browser(cast.officer).get(reverse("console:policy_version", args=[version.pk]))
    assert answer["Refresh"] == "2"
    assert "looks at a text" in answer.text
    trial = TRIALS.running(version.pk)
    assert trial is not None
    assert do(cast.officer, "try", version).status_code == 302
    assert TRIALS.running(version.pk) is trial
    gate.set()
    # Not asked for meanwhile: of a database in memory, SQLite lets no second thread at a table that is written.
    for thread in threading.enumerate():
        if thread.name == "dry-run":
            thread.join(60)
    assert "Recall" in page(cast.officer, "policy_version", version.pk)


def test_a_long_dry_run_can_be_stopped_and_leaves_nothing(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = hold(monkeypatch)
    version = support.draft(cast.officer)
    do(cast.officer, "try", version)
    trial = TRIALS.running(version.pk)
    assert trial is not None
    do(cast.officer, "try_stop", version)
    gate.set()
    assert trial.ended.wait(60)
    assert (trial.is_stopped, trial.figures) == (True, {})
    assert "Refresh" not in browser(cast.officer).get(reverse("console:policy_version", args=[version.pk]))


def hold(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Make dry runs wait at their first text until the event is set."""
    gate = threading.Event()

    def judged(sample: corpus.Sample, rules: RuleSet) -> corpus.Verdict:
        gate.wait(60)
        return JUDGE(sample, rules)

    monkeypatch.setattr(corpus, "judge", judged)
    monkeypatch.setattr("console.policy_version_views.PATIENCE_S", 0.05)
    monkeypatch.setattr("policy.trying.seed_corpus", lambda: corpus.seed_corpus()[:20])
    return gate


def test_a_stop_says_so_where_no_run_is_under_way_in_this_process(cast: Cast) -> None:
    """Another server may have it: a run belongs to the process that began it."""
    version = support.draft(cast.officer)
    assert not TRIALS.stop(version.pk)
    answer = browser(cast.officer).post(reverse("console:policy_try_stop", args=[version.pk]), follow=True)
    assert "No dry run of this version is under way on this server" in answer.text
    assert "The dry run is stopped" not in answer.text
