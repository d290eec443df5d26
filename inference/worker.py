"""Run one engine in a child process: `python -m inference.worker <parent pid>`.

`inference.process` speaks to it. It reads messages from standard input, writes messages to standard output
(`inference.wire`), and leaves when the input ends. A line that is no message ends it as well: the pool is
the only one that may write there.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from inference import confinement
from inference.cage.cage import Cage, CageIncomplete
from inference.engine import (
    Engine,
    EngineError,
    LoadError,
    OverlongPrompt,
    Prompt,
    Unsupported,
    WorkerReport,
    WorkerSpec,
)
from inference.engines import find_engine
from inference.engines.gguf import special_texts
from inference.gguf import SpecialTexts
from inference.prompt import Neutraliser
from inference.wire import (
    MAX_TO_WORKER,
    Broken,
    Cancel,
    Count,
    Counted,
    Ended,
    Forget,
    FromWorker,
    LineSplitter,
    Open,
    Progress,
    Ready,
    Refused,
    Run,
    Text,
    ToWorker,
    WireError,
    decode_to_worker,
    encode_from_worker,
)

# Seconds: a reader sees 25 steps of text in a second, and the portal is woken no more often than that.
GATHER_S = 0.04
# Characters. JSON takes at most 12 bytes for one.
_MAX_PIECE = 4096


class Outlet:
    """Write messages to the pool, in order, from any thread.

    Each write wakes the portal's event loop, which costs it more than the message itself: text that follows
    text is gathered for GATHER_S. A turn's first text and its end go out at once.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._gathered = bytearray()
        self._due = threading.Event()
        threading.Thread(target=self._flush_when_due, daemon=True, name="outlet").start()

    def send(self, message: FromWorker) -> None:
        """Write the message now, after what was gathered before it."""
        line = encode_from_worker(message)
        with self._lock:
            self._gathered += line
            self._flush()

    def send_soon(self, message: FromWorker) -> None:
        """Write the message together with those that come within GATHER_S."""
        line = encode_from_worker(message)
        with self._lock:
            self._gathered += line
        self._due.set()

    def _flush_when_due(self) -> None:
        while self._due.wait():
            time.sleep(GATHER_S)
            self._due.clear()
            with self._lock:
                self._flush()

    def _flush(self) -> None:
        """Write what was gathered; end the process if nobody reads any more."""
        rest = memoryview(bytes(self._gathered))
        self._gathered.clear()
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:
            os._exit(0)


class Running:
    """Be the sink of one generation: pass its text on, and its cancellation in."""

    def __init__(self, turn: int, outlet: Outlet) -> None:
        self._turn = turn
        self._outlet = outlet
        self._has_spoken = False
        self._cancelled = threading.Event()

    def progress(self, *, processed: int, total: int) -> None:
        """Pass on how far the prompt is."""
        self._outlet.send(Progress(self._turn, processed, total))

    def text(self, piece: str) -> None:
        """Pass on text, cut so that a message stays far below the limit of the wire.

        The first text goes out at once: it is the one that somebody waits for.
        """
        send = self._outlet.send_soon if self._has_spoken else self._outlet.send
        self._has_spoken = True
        for start in range(0, len(piece), _MAX_PIECE):
            send(Text(self._turn, piece[start : start + _MAX_PIECE]))

    def wait_cancelled(self, seconds: float) -> bool:
        """Say whether the pool has cancelled this generation, waiting at most that long for it."""
        return self._cancelled.wait(seconds) if seconds > 0 else self._cancelled.is_set()

    def cancel(self) -> None:
        """End the generation as soon as the engine looks."""
        self._cancelled.set()


class Worker:
    """Dispatch messages to an engine, each generation in a thread of its own."""

    def __init__(self, engine: Engine, spec: WorkerSpec, outlet: Outlet, special: SpecialTexts) -> None:
        self._engine = engine
        self._neutralise = Neutraliser(special)
        self._outlet = outlet
        self._threads = ThreadPoolExecutor(spec.slots, thread_name_prefix="turn")
        # What is erased shall not wait until a turn has ended.
        self._forgetting = ThreadPoolExecutor(1, thread_name_prefix="forget")
        self._running: dict[int, Running] = {}

    def handle(self, message: ToWorker) -> None:
        """Act on a message. Raise WireError for one that has no place now."""
        match message:
            case Run(turn, prompt):
                running = self._running[turn] = Running(turn, self._outlet)
                self._threads.submit(self._run, turn, prompt, running)
            case Cancel(turn):
                # The generation may have ended while the message was on its way.
                if running_now := self._running.get(turn):
                    running_now.cancel()
            case Count(number, prompt):
                self._threads.submit(self._count, number, prompt)
            case Forget(origin):
                self._forgetting.submit(self._engine.forget, origin)
            case Open():
                raise WireError("already open")

    def _count(self, number: int, prompt: Prompt) -> None:
        tokens = -1
        try:
            tokens = self._engine.count_tokens(self._neutralise(prompt))
        except EngineError:
            pass
        finally:
            self._outlet.send(Counted(number, tokens))

    def _run(self, turn: int, prompt: Prompt, running: Running) -> None:
        last: FromWorker = Refused(turn, "engine_error")
        try:
            last = Ended(turn, self._engine.generate(self._neutralise(prompt), running))
        except OverlongPrompt:
            last = Refused(turn, "too_long")
        except Unsupported:
            last = Refused(turn, "unsupported")
        except EngineError:
            pass
        finally:
            del self._running[turn]
            self._outlet.send(last)


def _messages(inward: int) -> Iterator[ToWorker]:
    splitter = LineSplitter(MAX_TO_WORKER)
    while data := os.read(inward, 1 << 16):
        yield from map(decode_to_worker, splitter.feed(data))


def _load(spec: WorkerSpec, cage: Cage) -> tuple[Engine, WorkerReport, SpecialTexts]:
    """Load the model inside the cage, then close it. Raise LoadError."""
    os.nice(spec.niceness)  # The threads of the engine inherit it.
    make_engine = find_engine(spec)
    cage.enter(spec)
    if spec.sandbox == "strict":
        cage.require()
    engine = make_engine(spec)
    report = engine.report()
    special = special_texts(Path(spec.model_path)) if spec.model_path else SpecialTexts()
    cage.lock()
    if spec.sandbox == "strict":
        cage.require_all()
    return engine, replace(report, cage=cage.checks), special


def _serve(inward: int, outward: int, cage: Cage) -> None:
    """Open, then act on every message. No thread is made before the model is loaded: the cage binds those to come."""
    messages = _messages(inward)
    match next(messages, None):
        case Open(spec):
            try:
                engine, report, special = _load(spec, cage)
            except CageIncomplete as error:
                Outlet(outward).send(Broken(error.code, error.checks))
            except LoadError as error:
                Outlet(outward).send(Broken(error.code))
            else:
                outlet = Outlet(outward)
                worker = Worker(engine, spec, outlet, special)
                outlet.send(Ready(report))
                for message in messages:
                    worker.handle(message)
        case None:
            pass
        case _:
            raise WireError("not open yet")


def main() -> None:
    """Serve until the pool closes the pipe. Ends without clean-up: nothing here is worth waiting for."""
    inward, outward = confinement.take_pipes()
    confinement.bind_to_parent(int(sys.argv[1]))
    confinement.forbid_core_dumps()
    cage = Cage()
    cage.separate()
    status = 0
    try:
        _serve(inward, outward, cage)
    except (WireError, MemoryError):
        status = 1
    finally:
        os._exit(status)


if __name__ == "__main__":
    main()
