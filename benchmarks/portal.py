"""Measure the portal against the engine called directly, in one run: see docs/benchmarks.md.

    .venv/bin/python benchmarks/portal.py [--quick] [--check] [--model FILE]

Without `--model` it takes the synthetic Qwen2.5-0.5B where `benchmarks/models/synthetic_qwen.py` has made one, the
starter model otherwise. Everything it makes is in a temporary folder that is removed at the end.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run as a script, from anywhere

from benchmarks import _with_model, _with_script
from benchmarks._plan import FULL, MEMBERS, QUICK, Plan
from benchmarks._report import Goal, Report, Row
from benchmarks._server import ROOT, Installation, Login
from benchmarks._statements import count_statements

SYNTHETIC = ROOT / "var" / "bench" / "synthetic-qwen2.5-0.5b-q4_0.gguf"
# Where an earlier run, or the tests, have left the starter model; otherwise the portal fetches it.
STARTERS = (ROOT / "var" / "test-models" / "starter.gguf",)


def main() -> int:
    """Measure, print, and with `--check` return 1 when a goal is missed."""
    # An end from outside shall end the portal as well: leave through every `with` block.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = _options()
    plan: Plan = QUICK if options.quick else FULL
    model: Path | None = options.model or _default_model()
    began, load = time.monotonic(), os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="portal-bench-") as folder:
        installation = Installation(Path(folder))
        stored = installation.set_up(model.resolve() if model else None)
        report = Report(_title(stored, model, load=load))
        logins = installation.create_members(MEMBERS)
        _with_model.measure(report, plan, installation, logins, stored)
        _with_script.measure(report, plan, installation, logins)
        _report_statements(report, installation, logins[0], idle_s=plan.idle_s)
    report.section(f"Took {time.monotonic() - began:.0f} s.")
    report.print()
    return 1 if options.check and report.missed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the portal against the engine called directly.")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: a minute or two, less steady")
    parser.add_argument("--check", action="store_true", help="exit 1 when a goal is missed")
    parser.add_argument("--model", type=Path, help="a GGUF file to measure with")
    return parser.parse_args()


def _default_model() -> Path | None:
    return next((path for path in (SYNTHETIC, *STARTERS) if path.is_file()), None)


def _title(stored: Path, model: Path | None, *, load: float) -> str:
    name = model.name if model else "starter model"
    return (
        f"Portal benchmark, {time.strftime('%Y-%m-%d %H:%M')}: {len(os.sched_getaffinity(0))} cores, "
        f"load {load:.1f} before; model {name} ({stored.stat().st_size / 1e6:.0f} MB), "
        f"xllamacpp {importlib.metadata.version('xllamacpp')}\n"
    )


def _report_statements(report: Report, installation: Installation, login: Login, *, idle_s: float) -> None:
    counts = count_statements(installation, login, idle_s=idle_s)
    report.section("Database, counted in process with the scripted engine (BEGIN and COMMIT apart)")
    report.add(
        Row(figure="SQL statements, new conversation", value=counts.first_turn, unit="", goal=Goal("≤", 6)),
        Row(figure="SQL statements, further turn", value=counts.next_turn, unit="", goal=Goal("≤", 6)),
        Row(figure="  transactions per turn", value=counts.transactions, unit=""),
        Row(figure="  connections opened per turn", value=counts.connections, unit=""),
        Row(
            figure=f"SQL statements when idle for {idle_s:.0f} s",
            value=counts.idle,
            unit="",
            goal=Goal("≤", 0),
        ),
    )
    report.section("A turn in a new conversation runs: " + ", ".join(counts.statements))


if __name__ == "__main__":
    sys.exit(main())
