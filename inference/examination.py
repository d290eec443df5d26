"""Start a worker only to see what becomes of it: engine, threads, memory, and every row of its cage."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from inference import memory
from inference.cage.names import breaches, describe
from inference.engine import LOAD_ERRORS, LayerCheck, WorkerReport, WorkerSpec
from inference.process import start_worker
from inference.wire import Broken, FromWorker, Ready


@dataclass(frozen=True, slots=True)
class Examination:
    """Hold what was seen. `report` is None where no model was loaded, and `error` then says why.

    `cage` is there in both cases, as far as the worker came. `own_bytes` is the memory that it has for itself, without
    the model's mapped file; `limit_bytes` the limit on its address space.
    """

    report: WorkerReport | None
    cage: tuple[LayerCheck, ...]
    error: str
    load_s: float
    own_bytes: int
    limit_bytes: int


async def examine(spec: WorkerSpec, *, timeout_s: float) -> Examination:
    """Start a worker, look at it and end it. It shares nothing with one that serves, but the machine."""
    loop = asyncio.get_running_loop()
    heard: asyncio.Future[FromWorker] = loop.create_future()
    began = loop.time()
    try:
        worker = await start_worker(spec, lambda message: None if heard.done() else heard.set_result(message))
    except OSError:
        return Examination(None, (), "no process can be started", 0, 0, 0)
    try:
        ends: set[asyncio.Future[Any]] = {heard, worker.gone}
        await asyncio.wait(ends, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        load_s = loop.time() - began
        own, limit = memory.own_bytes(worker.pid) or 0, memory.address_limit(worker.pid) or 0
    finally:
        worker.kill("examined")
        await worker.close()
    match heard.result() if heard.done() else None:
        case Ready(report):
            return Examination(report, report.cage, "", load_s, own, limit)
        case Broken(code, cage):
            why = LOAD_ERRORS.get(code, "the model could not be loaded")
            error = f"{why}: {describe(breaches(cage))}" if cage else why
            return Examination(None, cage, error, load_s, own, limit)
    ended = (
        "the worker ended while it loaded the model" if worker.gone.done() else "the worker did not answer"
    )
    return Examination(None, (), ended, load_s, own, limit)
