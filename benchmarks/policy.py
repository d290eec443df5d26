"""Measure the policy engine: what it finds, what it finds wrongly, and what it costs.

`python benchmarks/policy.py [--quick] [--part PART] [--check]`; what each figure means is in docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run as a script, from anywhere

from benchmarks import _settings  # before anything of the portal is imported
from benchmarks._evasions import EVASIONS, keywords, ordinary_text, sentence
from benchmarks._figures import percentile, spread
from benchmarks._injections import signals_alone, validate
from benchmarks._report import Goal, Report, Row
from policy.engine import evaluate
from policy.injection import default_detector
from policy.ruleset import DEFAULT_RULES, PolicyRule, RuleSet, make_rule_set, read_rules
from policy.services import OutputScreen
from policy.training.validation import LIMITS, families_of
from policy.training.wording import read_examples

KEYWORDS = 100_000
STREAM_CHUNK = 4
# Run in a process of its own: what a rule set takes is what that process grows by.
MEMORY = """
import pathlib
from benchmarks._evasions import keywords, ordinary_text
from benchmarks.policy import rules_with
from policy.engine import evaluate
words = keywords({count})
def resident():
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) / 256
before = resident()
rules = rules_with(words)
evaluate(ordinary_text(1000), rules)
print(resident() - before)
"""


def main() -> int:
    """Measure, print, and with `--check` return 1 when a goal is missed."""
    assert _settings.IS_READY
    options = _options()
    report = Report(
        f"Policy engine, {time.strftime('%Y-%m-%d %H:%M')}, load {os.getloadavg()[0]:.1f} before\n"
    )
    words = keywords(KEYWORDS)
    began = time.perf_counter()
    rules = rules_with(words)
    built_s = time.perf_counter() - began
    if options.part in ("all", "keywords"):
        _report_recall(report, rules, words, samples=400 if options.quick else 4000)
        _report_default_rules(report)
    if options.part in ("all", "injections"):
        _report_injections(report)
    if options.part in ("all", "cost"):
        _report_cost(report, rules, built_s, rounds=5 if options.quick else 30)
    report.print()
    return 1 if options.check and report.missed else 0


def rules_with(words: list[str]) -> RuleSet:
    """Return the portal's own rules and one with these keywords, which acts on questions and answers."""
    own = read_rules(DEFAULT_RULES).rules
    listed = PolicyRule(
        code="BENCH",
        title={"en": "Benchmark"},
        kind="keywords",
        actions={"input": "block", "output": "redact"},
        mask="***",
        order=len(own),
        words=tuple(words),
    )
    return make_rule_set([*own, listed], version="bench")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure what the policy engine finds and what it costs.")
    parser.add_argument("--quick", action="store_true", help="fewer samples and rounds")
    parser.add_argument("--part", choices=("all", "keywords", "injections", "cost"), default="all")
    parser.add_argument("--check", action="store_true", help="exit 1 when a goal is missed")
    return parser.parse_args()


def _report_recall(report: Report, rules: RuleSet, words: list[str], *, samples: int) -> None:
    report.section(f"Keywords found among {len(words)}, in sentences")
    for name, hide in EVASIONS.items():
        rng = random.Random(name)
        found = 0
        for word in rng.sample(words, samples):
            decision = evaluate(sentence(hide(word, rng), rng), rules)
            found += any(match.rule.code == "BENCH" for match in decision.matches)
        goal = Goal("≥", 99.5 if name == "plain" else 99.0)
        report.add(Row(figure=f"recall, {name}", value=100 * found / samples, unit="%", goal=goal))


def _report_default_rules(report: Report) -> None:
    """Rules of the portal itself on our benign texts; the model has learned from them, so injection rules are apart."""
    report.section("The portal's own rules without injection, on our benign texts")
    own = read_rules(DEFAULT_RULES).rules
    rules = make_rule_set([rule for rule in own if rule.kind != "injection"], version="bench")
    texts = [example for example in read_examples() if not example.is_attack]
    for name, (kinds, limit) in LIMITS.items():
        chosen = [example.text for example in texts if example.family in kinds]
        wrong = sum(evaluate(text, rules).action in ("block", "redact") for text in chosen)
        figure = f"false positives, {name} ({len(chosen)})"
        report.add(Row(figure=figure, value=100 * wrong / len(chosen), unit="%", goal=Goal("≤", limit)))


def _report_injections(report: Report) -> None:
    (tally, choices), bare = validate(), signals_alone()
    families = families_of(read_examples())
    report.section(
        "Injections of a family that signals, model and numbers were made without (baseline: signals alone)"
    )
    for family in families:
        report.add(
            Row(
                figure=f"recall, {family}", value=tally.rate([family]), unit="%", baseline=bare.rate([family])
            )
        )
    found = Row(
        figure="recall, all families",
        value=tally.rate(families),
        unit="%",
        baseline=bare.rate(families),
        goal=Goal("≥", 75),
    )
    report.add(found)
    refused = tally.rate(families, of="blocked")
    report.add(Row(figure="  refused outright (score 0.9)", value=refused, unit="%"))
    thresholds = [choice.threshold for choice in choices]
    report.add(Row(figure="  scores chosen, median", value=percentile(thresholds, 50), unit=""))
    report.section("False alarms of the same detectors on benign texts that they were made without")
    for name, (kinds, limit) in LIMITS.items():
        report.add(Row(figure=name, value=tally.rate(kinds), unit="%", goal=Goal("≤", limit)))
    report.add(Row(figure="prose and instructions", value=tally.rate(["prose"]), unit="%"))
    everything = sorted(tally.flagged.keys() - set(families))
    report.add(Row(figure="  refused outright, all", value=tally.rate(everything, of="blocked"), unit="%"))


def _report_cost(report: Report, rules: RuleSet, built_s: float, *, rounds: int) -> None:
    default_detector()
    report.section(f"Cost with {KEYWORDS} keywords and all rules, one core")
    per_thousand = {}
    for length in (1_000, 10_000, 100_000):
        text = ordinary_text(length)
        times = [_microseconds(text, rules) / length * 1000 for _ in range(max(3, rounds * 1000 // length))]
        per_thousand[length] = spread(times).middle
        goal = Goal("≤", 600) if length == 1_000 else None
        figure = f"evaluation of {length} characters, per 1,000"
        report.add(Row(figure=figure, value=per_thousand[length], unit="µs", spread=spread(times), goal=goal))
    ratio = per_thousand[100_000] / per_thousand[1_000]
    report.add(Row(figure="100,000 to 1,000 characters", value=ratio, unit="", goal=Goal("≤", 1.5)))
    chunks = _chunk_times(rules, rounds=rounds)
    report.add(
        Row(figure="streamed chunk, median", value=percentile(chunks, 50), unit="ms"),
        Row(figure="streamed chunk, p99", value=percentile(chunks, 99), unit="ms", goal=Goal("≤", 0.3)),
        Row(figure="building the rule set", value=built_s, unit="s", goal=Goal("≤", 3)),
        *_reload_rows(),
        Row(figure="memory of the rule set", value=_memory_mb(), unit="MB", goal=Goal("≤", 300)),
    )


def _microseconds(text: str, rules: RuleSet) -> float:
    began = time.perf_counter()
    evaluate(text, rules)
    return (time.perf_counter() - began) * 1e6


def _chunk_times(rules: RuleSet, *, rounds: int) -> list[float]:
    """Return milliseconds for each chunk of answers that arrive a few characters at a time."""
    times = []
    for seed in range(rounds):
        text, screen = ordinary_text(2_000, seed=seed), OutputScreen(rules)
        for start, end in pairwise(range(0, len(text) + 1, STREAM_CHUNK)):
            began = time.perf_counter()
            screen.feed(text[start:end])
            times.append((time.perf_counter() - began) * 1e3)
        screen.finish()
    return times


def _reload_rows() -> list[Row]:
    """A list that is published, in a database of its own: see benchmarks/_reload.py."""
    root = Path(__file__).resolve().parent.parent
    script = f"from benchmarks import _settings; from benchmarks._reload import main; main({KEYWORDS})"
    command = [sys.executable, "-c", script]
    with tempfile.TemporaryDirectory() as folder:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")}
        environment = kept | {"PORTAL_DATA_DIR": folder, "DATABASE_URL": ""}
        run = subprocess.run(command, check=True, capture_output=True, text=True, cwd=root, env=environment)
    publish_s, reload_s, fresh_s = map(float, run.stdout.split()[-3:])
    return [
        Row(figure="publishing the list", value=publish_s, unit="s"),
        Row(figure="reload from the database", value=reload_s, unit="s", goal=Goal("≤", 3)),
        Row(figure="first load of a new process", value=fresh_s, unit="s", goal=Goal("≤", 3)),
    ]


def _memory_mb() -> float:
    root = Path(__file__).resolve().parent.parent
    script = MEMORY.format(count=KEYWORDS)
    command = [sys.executable, "-c", script]
    return float(subprocess.run(command, check=True, capture_output=True, text=True, cwd=root).stdout)


if __name__ == "__main__":
    sys.exit(main())
