"""Measure the pool against the memory's speed and the engine called directly: see docs/benchmarks.md.

    .venv/bin/python benchmarks/inference.py [--quick] [--check] [--part speed|pool|people]… [--threads N]

It measures the starter model and every synthetic Qwen2.5-0.5B that `benchmarks.models.synthetic_qwen` has made. Rows
appear on standard error as they are taken, the table at the end. What takes longer than its bound is given up.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run as a script, from anywhere

from benchmarks import _inference_cost as cost
from benchmarks import _inference_people as people
from benchmarks import _inference_speed as speed
from benchmarks._figures import BenchmarkError
from benchmarks._inference_ceiling import Memory
from benchmarks._inference_long import long_prompt
from benchmarks._inference_pool import config_for
from benchmarks._inference_portal import whole_portal
from benchmarks._inference_trouble import trouble
from benchmarks._report import Goal, Report, Row
from benchmarks._server import ROOT
from benchmarks.models.synthetic_qwen import KINDS, path_of
from inference.engine import EngineName
from inference.engines.choice import fits_here
from inference.errors import InferenceError
from inference.governor import usual_threads
from inference.tuning import describe, tune

STARTER = ROOT / "var" / "test-models" / "starter.gguf"
PARTS = ("speed", "pool", "people")
# Seconds for one group of rows.
BOUND_S = 120


@dataclass(frozen=True, slots=True)
class Plan:
    """How often each figure is taken. The speed part takes all models, the others `main`: a small one to be quick."""

    models: list[Path]
    main: Path
    rounds: int
    tokens: int
    singles: int
    crowds: int
    asks: int
    people: int
    scripted: int


@dataclass(slots=True)
class Run:
    """Take groups of rows, one after the other."""

    report: Report
    plan: Plan
    threads: dict[EngineName, int]

    @property
    def best(self) -> EngineName:
        """Return the engine that the portal would choose."""
        return "native" if fits_here() else "llamacpp"

    async def take(self, figure: str, rows: Coroutine[None, None, list[Row]]) -> None:
        """Add the rows of a group, or one that says why they are missing."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(BOUND_S):
                found = await rows
        except (BenchmarkError, InferenceError, TimeoutError) as error:
            why = str(error) or type(error).__name__
            found = [speed.missing(figure, Goal("≤", 0), why=why)]
        self.report.add(*found)
        for row in found:
            print("  ".join(filter(None, row.cells())), file=sys.stderr, flush=True)
        print(f"    ({figure}: {time.monotonic() - began:.0f} s)", file=sys.stderr, flush=True)


def main() -> int:
    """Measure, print, and with `--check` return 1 when a goal is missed or could not be judged."""
    options = _options()
    began, load = time.monotonic(), os.getloadavg()[0]
    wanted = [options.model] if options.model else [*map(path_of, KINDS), STARTER]
    models = [path for path in wanted if path.is_file()]
    if not models:
        raise BenchmarkError("no model: run `.venv/bin/python -m benchmarks.models.synthetic_qwen`")
    report = Report(
        f"Inference benchmark, {time.strftime('%Y-%m-%d %H:%M')}: {len(os.sched_getaffinity(0))} cores, "
        f"load {load:.1f} before; native engine {'built' if fits_here() else 'not built'}\n"
    )
    # An end from outside leaves what was taken so far.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        plan = _plan(models, is_quick=options.quick)
        asyncio.run(_measure(report, plan, options.part or PARTS, options.threads))
    finally:
        report.section(f"Took {time.monotonic() - began:.0f} s.")
        report.print()
    return 1 if options.check and report.missed else 0


def _plan(models: list[Path], *, is_quick: bool) -> Plan:
    if is_quick:
        return Plan(
            models, models[-1], rounds=2, tokens=32, singles=5, crowds=1, asks=8, people=16, scripted=15
        )
    return Plan(models, models[0], rounds=5, tokens=64, singles=30, crowds=4, asks=15, people=32, scripted=60)


async def _measure(report: Report, plan: Plan, parts: tuple[str, ...], threads: int) -> None:
    run = Run(report, plan, await _choose_threads(report, plan.models[0], threads))
    if "speed" in parts:
        await _measure_speed(run)
    if "pool" in parts:
        await _measure_pool(run)
    if "people" in parts:
        await _measure_people(run)


async def _choose_threads(report: Report, model: Path, fixed: int) -> dict[EngineName, int]:
    """Let the portal choose, for each engine, unless a number was given."""
    chosen: dict[EngineName, int] = {}
    for engine, name in speed.NAMES.items():
        if fixed or (engine == "native" and not fits_here()):
            chosen[engine] = fixed or 1
            continue
        with tempfile.TemporaryDirectory(prefix="inference-bench-") as folder:
            tuned = await tune(config_for(model, engine=engine, threads=0), folder=Path(folder))
        chosen[engine] = tuned.threads or usual_threads()
        trials = "; ".join(map(describe, tuned.trials)) or "none"
        report.section(f"{name}: {chosen[engine]} thread(s); trials: {trials}")
    return chosen


async def _measure_speed(run: Run) -> None:
    memory, plan = Memory(), run.plan
    for model in plan.models:
        run.report.section(f"Decoding, {model.stem}; baseline: memory bandwidth by bytes per token")
        for engine in speed.NAMES:
            rows = speed.single_stream(
                model,
                engine,
                threads=run.threads[engine],
                rounds=plan.rounds,
                tokens=plan.tokens,
                memory=memory,
            )
            await run.take(f"one stream, {speed.NAMES[engine]}", rows)
    run.report.section(f"{speed.CROWD} slots, {plan.models[0].stem}, decoding only")
    await run.take(
        "many streams", speed.many_streams(plan.models[0], threads=run.threads, tokens=2 * plan.tokens)
    )


async def _measure_pool(run: Run) -> None:
    plan, model, threads = run.plan, run.plan.main, run.threads["llamacpp"]
    run.report.section("First tokens, scripted engine: one word after a known time to everybody")
    await run.take("pool above ideal", cost.above_ideal(rounds=plan.scripted))
    await run.take("portal above ideal", whole_portal(plan.models[-1], rounds=plan.scripted))
    run.report.section(f"Through the pool, {model.stem}; baseline: the default engine called directly")
    against = cost.against_direct(
        model, threads=threads, singles=plan.singles, rounds=plan.crowds, tokens=plan.tokens
    )
    await run.take("through the pool", against)


async def _measure_people(run: Run) -> None:
    plan, model, best = run.plan, run.plan.main, run.best
    small = plan.models[-1]
    run.report.section(f"A second turn, {model.stem}")
    for engine in dict.fromkeys(("llamacpp", best)):
        await run.take("second turn", people.second_turn(model, engine, threads=run.threads[engine]))
    run.report.section(f"Many people and trouble, {small.stem}, {best}")
    threads = run.threads[best]
    flood = people.flooding(small, best, threads=threads, rounds=plan.rounds, asks=plan.asks)
    await run.take("flood", flood)
    await run.take("estimates", people.estimates(small, best, threads=threads, people=plan.people))
    await run.take("trouble", trouble(small, best, threads=threads, tokens=plan.tokens))
    run.report.section(f"A long prompt beside others, {model.stem}")
    await run.take("long prompt", long_prompt(model, threads=run.threads["native"]))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the inference pool.")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, less steady")
    parser.add_argument("--check", action="store_true", help="exit 1 when a goal is missed")
    parser.add_argument("--model", type=Path, help="a GGUF file to measure with instead")
    parser.add_argument("--part", action="append", choices=PARTS, help="measure that part only; repeatable")
    parser.add_argument(
        "--threads", type=int, default=0, help="threads of the engine; 0: as the portal chooses"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
