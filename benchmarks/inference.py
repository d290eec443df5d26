"""Measure the pool against the memory's speed and the engine called directly: see docs/benchmarks.md.

    .venv/bin/python benchmarks/inference.py [--quick] [--check] [--part speed|pool] [--threads N]

It measures the starter model and every synthetic Qwen2.5-0.5B that `benchmarks.models.synthetic_qwen` has made.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run as a script, from anywhere

from benchmarks import _inference_rows as rows
from benchmarks._figures import BenchmarkError
from benchmarks._inference_ceiling import Memory
from benchmarks._inference_pool import config_for
from benchmarks._report import Report
from benchmarks._server import ROOT
from benchmarks.models.synthetic_qwen import KINDS, path_of
from inference.engines.choice import fits_here
from inference.tuning import describe, tune

STARTER = ROOT / "var" / "test-models" / "starter.gguf"


def main() -> int:
    """Measure, print, and with `--check` return 1 when a goal is missed."""
    options = _options()
    began, load = time.monotonic(), os.getloadavg()[0]
    models = [path for path in (*map(path_of, KINDS), STARTER) if path.is_file()]
    if not models:
        raise BenchmarkError("no model: run `.venv/bin/python -m benchmarks.models.synthetic_qwen`")
    report = Report(
        f"Inference benchmark, {time.strftime('%Y-%m-%d %H:%M')}: {len(os.sched_getaffinity(0))} cores, "
        f"load {load:.1f} before; native engine {'built' if fits_here() else 'not built'}\n"
    )
    asyncio.run(_measure(report, models, quick=options.quick, threads=options.threads, part=options.part))
    report.section(f"Took {time.monotonic() - began:.0f} s.")
    report.print()
    return 1 if options.check and report.missed else 0


async def _measure(report: Report, models: list[Path], *, quick: bool, threads: int, part: str) -> None:
    rounds, tokens = (2, 32) if quick else (5, 64)
    main_model = models[0]
    if not threads:
        with tempfile.TemporaryDirectory(prefix="inference-bench-") as folder:
            tuned = await tune(config_for(main_model, engine="llamacpp", threads=0), folder=Path(folder))
        threads = tuned.threads or max(1, len(os.sched_getaffinity(0)) - 1)
        report.section(f"{threads} thread(s); trials: {'; '.join(map(describe, tuned.trials)) or 'none'}")
    if part != "pool":
        await _measure_speed(report, models, rounds=rounds, tokens=tokens, threads=threads)
    if part != "speed":
        await _measure_pool(report, main_model, rounds=rounds, tokens=tokens, threads=threads)


async def _measure_speed(
    report: Report, models: list[Path], *, rounds: int, tokens: int, threads: int
) -> None:
    memory = Memory()
    for model in models:
        report.section(f"One stream, {model.stem}; baseline: memory bandwidth by bytes per token")
        for engine in rows.NAMES:
            found = await rows.single_stream(
                model, engine, threads=threads, rounds=rounds, tokens=tokens, memory=memory
            )
            report.add(*found)


async def _measure_pool(report: Report, main_model: Path, *, rounds: int, tokens: int, threads: int) -> None:
    report.section(f"Through the pool, {main_model.stem}; baseline: the engine called directly")
    report.add(*await rows.against_direct(main_model, threads=threads, rounds=rounds, tokens=tokens))
    report.section("Many streams, long conversations, trouble")
    report.add(*await rows.many_streams(main_model, threads=threads, tokens=tokens))
    report.add(*await rows.second_turn(main_model, threads=threads))
    report.add(*await rows.trouble(main_model, threads=threads, tokens=tokens))
    report.section(
        "Not measured yet: a long prompt beside other streams (native), a flooding tenant, queue estimates"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the inference pool.")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, less steady")
    parser.add_argument("--check", action="store_true", help="exit 1 when a goal is missed")
    parser.add_argument(
        "--threads", type=int, default=0, help="threads of the engine; 0: as the portal chooses"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
