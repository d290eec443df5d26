"""Call the engine directly: the baseline of every comparison.

A child process holds llama.cpp with exactly the parameters that the portal's worker gives it, and nothing else: no
portal, no policy, no store, no socket. Each question has a thread of its own that calls the library and takes its
chunks. Parent and child exchange one JSON line per round, outside what is timed.

Run as `python -m benchmarks._engine` it is that child.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from benchmarks._figures import Answer, BenchmarkError, Round
from inference import confinement
from inference.engine import ChatMessage, Sampling, WorkerSpec
from inference.engines.slots import Taken
from inference.process import worker_environment

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the child shall answer; `stop_after` pieces it breaks an answer off (0: never).

    `reuse` says whether an answer may use what an earlier one, of whomever, has left in its slot.
    """

    system: str
    questions: list[str]
    max_new_tokens: int
    stop_after: int = 0
    reuse: bool = True


class DirectEngine:
    """Be the parent's side of the child. Use it in a `with` block."""

    def __init__(
        self, spec: WorkerSpec, *, system_prompt: str, max_new_tokens: int, reuse: bool = True
    ) -> None:
        self._system, self._limit, self._reuse = system_prompt, max_new_tokens, reuse
        started = time.perf_counter()
        self._child = subprocess.Popen(
            [sys.executable, "-m", "benchmarks._engine", str(os.getpid()), json.dumps(asdict(spec))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            # Nothing governs its threads, so nothing may take them away.
            env=worker_environment()
            | {"OMP_DYNAMIC": "false", "PYTHONPYCACHEPREFIX": os.environ.get("PYTHONPYCACHEPREFIX", "")},
        )
        self._read()
        self.ready_s = time.perf_counter() - started

    def ask_all(self, questions: Sequence[str], *, stop_after: int = 0) -> Round:
        """Answer all questions at the same moment."""
        order = Order(
            system=self._system,
            questions=list(questions),
            max_new_tokens=self._limit,
            stop_after=stop_after,
            reuse=self._reuse,
        )
        self._pipe(self._child.stdin).write(json.dumps(asdict(order)).encode() + b"\n")
        self._pipe(self._child.stdin).flush()
        told = self._read()
        return Round(
            answers=tuple(Answer(**answer) for answer in told["answers"]), wall_s=float(told["wall_s"])
        )

    def close(self) -> None:
        """End the child."""
        self._pipe(self._child.stdin).close()
        self._child.wait(timeout=20)

    def __enter__(self) -> DirectEngine:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _read(self) -> dict[str, Any]:
        line = self._pipe(self._child.stdout).readline()
        if not line:
            raise BenchmarkError("the engine's process ended")
        told: dict[str, Any] = json.loads(line)
        return told

    @staticmethod
    def _pipe(pipe: Any) -> BinaryIO:
        stream: BinaryIO = pipe
        return stream


@dataclass(slots=True)
class _Asked:
    """One question in its thread, and the times of what came."""

    body: dict[str, Any]
    stop_after: int
    began: float = 0.0
    first: float = 0.0
    ended: float = 0.0
    pieces: int = 0
    tokens: int = 0
    fault: list[str] = field(default_factory=list)

    def run(self, server: Any, start: threading.Barrier) -> None:
        """Ask once everybody is ready."""
        start.wait()
        self.began = time.perf_counter()
        server.handle_chat_completions(self.body, self.receive)
        self.ended = time.perf_counter()

    def receive(self, chunk: dict[str, Any]) -> bool:
        """Take a chunk. Return True to end the answer."""
        if "error" in chunk:
            self.fault.append("refused")
            return True
        for choice in chunk.get("choices", ()):
            if choice["delta"].get("content"):
                self.first = self.first or time.perf_counter()
                self.pieces += 1
        if "usage" in chunk:
            self.tokens = int(chunk["usage"]["completion_tokens"])
        return bool(self.stop_after) and self.pieces >= self.stop_after

    def answer(self) -> Answer:
        """Return the figures."""
        if self.fault or not self.first:
            raise BenchmarkError("the engine gave no answer")
        return Answer(
            first_s=self.first - self.began,
            total_s=self.ended - self.began,
            tokens=self.tokens or self.pieces,
            pieces=self.pieces,
        )


def _answer_round(server: Any, order: Order) -> dict[str, Any]:
    from inference.engines import llamacpp  # noqa: PLC0415 - only the child loads the library

    sampling = Sampling(max_new_tokens=order.max_new_tokens)
    asked = []
    for question in order.questions:
        messages = (ChatMessage("system", order.system), ChatMessage("user", question))
        body = llamacpp._body(messages, sampling, Taken(0, None, is_own=order.reuse))
        # Without our slot book the engine chooses by itself.
        del body["id_slot"]
        asked.append(_Asked(body, order.stop_after))
    start = threading.Barrier(len(asked) + 1)
    threads = [threading.Thread(target=one.run, args=(server, start)) for one in asked]
    for thread in threads:
        thread.start()
    start.wait()
    for thread in threads:
        thread.join()
    wall_s = max(one.ended for one in asked) - min(one.began for one in asked)
    return {"answers": [asdict(one.answer()) for one in asked], "wall_s": wall_s}


def main() -> None:
    """Load the model that the command line names, then answer rounds until the input ends."""
    inward, outward = confinement.take_pipes()
    confinement.bind_to_parent(int(sys.argv[1]))
    from inference.engines import llamacpp  # noqa: PLC0415 - only the child loads the library

    # The portal's own parameters, private as they are: a copy of them here would drift.
    server = llamacpp._load(WorkerSpec(**json.loads(sys.argv[2])))
    with open(inward, "rb") as orders, open(outward, "wb", buffering=0) as answers:  # noqa: PTH123 - descriptors
        answers.write(b"{}\n")
        for line in orders:
            answers.write(json.dumps(_answer_round(server, Order(**json.loads(line)))).encode() + b"\n")
    # The library's threads need no farewell.
    os._exit(0)


if __name__ == "__main__":
    main()
