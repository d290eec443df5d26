"""Choose a worker's threads by a short measurement: once for each model, engine and machine.

A worker on trial, started as any other one, decodes with each number of threads: with the machine to itself, then
beside a process that spins on a core, as a busy web process would. The choice is kept in a file of the data folder.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import logging
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from inference.config import PoolConfig
from inference.engine import ChatMessage, Origin, Prompt, Sampling, ThreadTrial
from inference.governor import GOVERNED, Look, look_at, used_by_others, usual_threads
from inference.process import WorkerProcess, start_worker
from inference.thread_store import ThreadStore, key_of
from inference.wire import Broken, Ended, FromWorker, Ready, Refused, Run

logger = logging.getLogger("portal.tuning")

# Seconds for all of it, the loading of the model included: who waits for the first start waits no longer.
BUDGET_S = 5.0
# Seconds that one measurement shall take, and the fewest and most tokens for it.
SAMPLE_S, MIN_TOKENS, MAX_TOKENS = 0.4, 4, 96
# Seconds in which the governor settles once a neighbour is there.
SETTLE_S = 0.35
# More candidates than this would not fit into the budget.
MAX_CANDIDATES = 4
# What a choice must keep of the best speed beside a busy neighbour: less is a cliff, more is noise of short samples.
KEPT_SHARE = 0.8
# Cores in others' use on a machine that was to be quiet. With more of them a measurement says nothing about it.
QUIET_CORES = 0.25
# A thread more must be worth that much on a quiet machine.
WORTH = 1.03

# Always the same, from somebody whose text may be reused: the prompt is processed once, then only decoding is left.
_PROMPT = Prompt(
    (ChatMessage("user", "Tell a very long story."),), Sampling(), Origin(tenant="trial", person="trial")
)


M = TypeVar("M", Ready, Ended)


class TrialFailed(Exception):
    """Say that a worker on trial ended, refused or was disturbed. A broken model is reported by the pool itself."""


def candidates(cores: int) -> tuple[int, ...]:
    """Return the numbers of threads to try, most first: all up to MAX_CANDIDATES, else a few over the whole range."""
    if cores <= MAX_CANDIDATES:
        return tuple(range(cores, 0, -1))
    return tuple(sorted({cores, cores - 1, cores // 2, 1}, reverse=True))


def choose(trials: Sequence[ThreadTrial]) -> int:
    """Return the threads that are fastest on a quiet machine, among those that are no cliff on a busy one.

    A number is left out if a busy neighbour makes it slower than KEPT_SHARE of what another number then reaches. Of
    two that are equally fast (WORTH) the smaller one leaves more to everybody else.
    """
    best_busy = max(trial.busy for trial in trials)
    fitting = [trial for trial in trials if trial.busy >= KEPT_SHARE * best_busy]
    best_quiet = max(trial.quiet for trial in fitting)
    return min(trial.threads for trial in fitting if trial.quiet * WORTH >= best_quiet)


async def tune(config: PoolConfig, *, folder: Path) -> PoolConfig:
    """Return the configuration with the threads that were chosen for it, and the trials that led there.

    What the operator has set stays. Without a choice, because the trials took too long or failed or somebody else used
    the machine, `threads` stays 0 and the next start tries again.
    """
    cores = len(os.sched_getaffinity(0))
    if config.threads or config.engine not in GOVERNED or cores < 2:
        return config
    store, key = ThreadStore(folder / "threads.json"), key_of(config, library=_library(config), cores=cores)
    trials = store.find(key, cores=cores)
    if not trials:
        logger.info("choosing threads: measured once for this model and machine, %.0f s at most", BUDGET_S)
        trials = await _measure(config, cores)
        if trials:
            store.keep(key, trials)
    if not trials:
        logger.warning("threads were not measured; taking %d", usual_threads())
        return config
    chosen = choose(trials)
    logger.info("%d threads (%s)", chosen, "; ".join(map(describe, trials)))
    return replace(config, threads=chosen, trials=trials)


def recall(config: PoolConfig, *, folder: Path) -> PoolConfig:
    """Return what `tune` would, as far as it was measured before; nothing is started or written."""
    cores = len(os.sched_getaffinity(0))
    if config.threads or config.engine not in GOVERNED or cores < 2:
        return config
    store, key = ThreadStore(folder / "threads.json"), key_of(config, library=_library(config), cores=cores)
    trials = store.find(key, cores=cores)
    return replace(config, threads=choose(trials), trials=trials) if trials else config


def describe(trial: ThreadTrial) -> str:
    """Return a trial as a few English words."""
    return f"{trial.threads}: {trial.quiet:.0f} tokens/s, {trial.busy:.0f} beside a busy process"


def _library(config: PoolConfig) -> str:
    name = {"llamacpp": "xllamacpp", "native": "llama-cpp-python"}[config.engine]
    try:
        return f"{name} {importlib.metadata.version(name)}"
    except importlib.metadata.PackageNotFoundError:
        return name


async def _measure(config: PoolConfig, cores: int) -> tuple[ThreadTrial, ...]:
    """Return a trial for each candidate; none if that took too long, was disturbed, or the worker failed."""
    try:
        async with asyncio.timeout(BUDGET_S), _on_trial(config, cores) as worker:
            wanted = candidates(cores)
            await worker.speed(cores)  # The first computation builds what the later ones use.
            began = worker.look()
            quiet = [await worker.speed(threads) for threads in wanted]
            worker.require_quiet(began, worker.look())
            async with _neighbour():
                busy = [await worker.speed(threads, settle_s=SETTLE_S) for threads in wanted]
    except (TimeoutError, TrialFailed, OSError):
        return ()
    found = zip(wanted, quiet, busy, strict=True)
    return tuple(ThreadTrial(threads, round(alone, 1), round(beside, 1)) for threads, alone, beside in found)


class _OnTrial:
    """Be the pool of a worker that nobody else talks to."""

    def __init__(self, process: WorkerProcess, heard: asyncio.Queue[FromWorker]) -> None:
        self._process = process
        self._heard = heard
        self._turns = 0
        self._tokens = MIN_TOKENS

    async def speed(self, threads: int, *, settle_s: float = 0.0) -> float:
        """Return the tokens per second with at most so many threads, decoding alone; settle first for so long."""
        if self._process.governor is not None:
            self._process.governor.limit(threads)
        deadline = asyncio.get_running_loop().time() + settle_s
        while asyncio.get_running_loop().time() < deadline:
            await self._decode(MIN_TOKENS)
        speed = await self._decode(self._tokens)
        self._tokens = max(MIN_TOKENS, min(round(SAMPLE_S * speed), MAX_TOKENS))
        return speed

    def look(self) -> Look:
        """Return what the machine has done so far. Raise TrialFailed where the kernel does not say."""
        look = look_at(self._process.pid, os.sched_getaffinity(0))
        if look is None:
            raise TrialFailed
        return look

    @staticmethod
    def require_quiet(before: Look, after: Look) -> None:
        """Raise TrialFailed if others used more than QUIET_CORES in between."""
        others = used_by_others(before, after)
        if others > QUIET_CORES:
            logger.info("other processes used %.1f cores while threads were measured", others)
            raise TrialFailed

    async def _decode(self, tokens: int) -> float:
        self._turns += 1
        prompt = replace(_PROMPT, sampling=Sampling(max_new_tokens=tokens))
        self._process.send(Run(self._turns, prompt))
        ended = await self.wait_for(Ended)
        return ended.outcome.tokens_per_second

    async def wait_for(self, kind: type[M]) -> M:
        """Return the next message of that kind. Raise TrialFailed if none can come any more."""
        while True:
            heard = asyncio.ensure_future(self._heard.get())
            either: set[asyncio.Future[Any]] = {heard, self._process.gone}
            try:
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                if not heard.done():
                    raise TrialFailed
            finally:
                heard.cancel()
            message = heard.result()
            if isinstance(message, kind):
                return message
            if isinstance(message, Broken | Refused):
                raise TrialFailed


@asynccontextmanager
async def _on_trial(config: PoolConfig, cores: int) -> AsyncIterator[_OnTrial]:
    """Start a worker and yield it once it has its model; end it in any case."""
    heard: asyncio.Queue[FromWorker] = asyncio.Queue()
    process = await start_worker(replace(config.worker_spec, threads=cores), heard.put_nowait)
    try:
        worker = _OnTrial(process, heard)
        await worker.wait_for(Ready)
        yield worker
    finally:
        process.kill("the trial is over")
        await process.close()


@asynccontextmanager
async def _neighbour() -> AsyncIterator[None]:
    """Keep one core busy with a process that never waits."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", "-c", "while True: pass", stdin=asyncio.subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.kill()
        await process.wait()
