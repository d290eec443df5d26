"""Measure what a long prompt does to answers that are being spoken: the native engine alone, token by token.

A child process holds the engine, so that no gathering of text on the way blurs the gaps between tokens.

Run as `python -m benchmarks._inference_long` it is that child.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks._figures import BenchmarkError, percentile, quartiles
from benchmarks._inference_people import long_text
from benchmarks._inference_pool import config_for
from benchmarks._inference_speed import missing
from benchmarks._plan import story_questions
from benchmarks._report import Goal, Row
from inference import confinement
from inference.engine import ChatMessage, Prompt, Sampling, WorkerSpec
from inference.engines.choice import fits_here
from inference.governor import Governor
from inference.process import worker_environment

ROOT = Path(__file__).resolve().parent.parent
STREAMS = 3
# Tokens of each stream before the prompt comes: enough for a 95th percentile of all gaps.
BEFORE = 40
MOST_TOKENS, WAIT_S = 1500, 40.0
GAPS_GOAL = Goal("≤", 2, of="ratio")


@dataclass(frozen=True, slots=True)
class Found:
    """What the child has seen, in seconds: gaps between tokens, and the time to the long prompt's first token."""

    before: list[float]
    during: list[float]
    first_s: float
    alone_s: float
    prompt_tokens: int


async def long_prompt(model: Path, *, threads: int) -> list[Row]:
    """Compare the gaps between others' tokens while a prompt of 2,000 tokens is read with those before."""
    label = f"token gap p95 of {STREAMS} streams beside a long prompt, native"
    if not fits_here():
        return [missing(label, GAPS_GOAL, why="not built")]
    spec = config_for(model, engine="native", threads=threads).worker_spec
    return _rows(label, await _run_child(spec))


def _rows(label: str, found: Found) -> list[Row]:
    before, during = (1000 * percentile(gaps, 95) for gaps in (found.before, found.during))
    is_long = found.prompt_tokens >= 1500 and len(found.during) >= 20
    return [
        Row(
            figure=label,
            value=during,
            unit="ms",
            spread=quartiles([1000 * gap for gap in found.during]),
            baseline=before,
            ratio=during / before,
            goal=GAPS_GOAL,
            plausible=(0.5, 1000) if is_long else (0, 0),
        ),
        Row(
            figure=f"  first token of its {found.prompt_tokens} tokens; baseline: alone",
            value=found.first_s,
            unit="s",
            baseline=found.alone_s,
            ratio=found.first_s / found.alone_s,
        ),
    ]


async def _run_child(spec: WorkerSpec) -> Found:
    """Run the engine as the pool does, its threads governed."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks._inference_long", str(os.getpid()), json.dumps(asdict(spec))),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env=worker_environment(),
    )
    governor = Governor(child.pid, most=spec.threads)
    try:
        governor.wake()
        told, _ = await asyncio.wait_for(child.communicate(), 2.5 * WAIT_S)
    finally:
        governor.stop()
        if child.returncode is None:
            child.kill()
    if child.returncode:
        raise BenchmarkError(f"no first token within {WAIT_S:.0f} s, or the native engine's process failed")
    return Found(**json.loads(told))


class _Listener:
    """Be the sink of one answer, and note when its tokens came."""

    def __init__(self) -> None:
        self.stamps: list[float] = []
        self.over = threading.Event()

    def progress(self, *, processed: int, total: int) -> None:
        """Do nothing."""

    def text(self, piece: str) -> None:
        """Note the time."""
        self.stamps.append(time.perf_counter())

    def wait_cancelled(self, seconds: float) -> bool:
        """Say whether enough was heard."""
        return self.over.is_set()


def gaps(stamps: Sequence[float], begin: float, end: float) -> list[float]:
    """Return the times between neighbours of which the later one lies between `begin` and `end`."""
    pairs = itertools.pairwise(stamps)
    return [later - earlier for earlier, later in pairs if begin < later <= end]


def _talk(spec: WorkerSpec) -> Found:
    from inference.engines.native.engine import NativeEngine  # noqa: PLC0415 - only the child loads the library

    engine, long = NativeEngine(spec), long_text(Path(spec.model_path))

    def ask(text: str, listener: _Listener, tokens: int) -> threading.Thread:
        prompt = Prompt((ChatMessage("user", text),), Sampling(max_new_tokens=tokens))
        thread = threading.Thread(target=engine.generate, args=(prompt, listener))
        thread.start()
        return thread

    others, alone, last = [_Listener() for _ in range(STREAMS)], _Listener(), _Listener()
    began_alone = time.perf_counter()
    ask(f"{long} {story_questions(1)[0]}", alone, 1).join()
    for text, listener in zip(story_questions(STREAMS), others, strict=True):
        ask(text, listener, MOST_TOKENS)
    _until(lambda: all(len(listener.stamps) > BEFORE for listener in others))
    steady = max(listener.stamps[1] for listener in others)
    came, text = time.perf_counter(), f"{story_questions(1)[0]} {long}"
    ask(text, last, 2)
    _until(lambda: bool(last.stamps))
    heard = [list(listener.stamps) for listener in others]
    return Found(
        before=[gap for stamps in heard for gap in gaps(stamps, steady, came)],
        during=[gap for stamps in heard for gap in gaps(stamps, came, last.stamps[0])],
        first_s=last.stamps[0] - came,
        alone_s=alone.stamps[0] - began_alone,
        prompt_tokens=engine.count_tokens(Prompt((ChatMessage("user", text),))),
    )


def _until(condition: Callable[[], bool]) -> None:
    """Wait, without taking the processor from the engine. Raise BenchmarkError after WAIT_S."""
    end = time.perf_counter() + WAIT_S
    while not condition():
        if time.perf_counter() > end:
            raise BenchmarkError("no first token")
        time.sleep(0.02)


def main() -> None:
    """Load the model that the command line names, and print what was seen."""
    inward, outward = confinement.take_pipes()
    os.close(inward)
    confinement.bind_to_parent(int(sys.argv[1]))
    found = json.dumps(asdict(_talk(WorkerSpec(**json.loads(sys.argv[2])))))
    with open(outward, "wb") as answers:  # noqa: PTH123 - a descriptor
        answers.write(found.encode())
    # The loop of the engine computes on; nobody listens.
    os._exit(0)


if __name__ == "__main__":
    main()
