"""Start a worker process and talk to it from the event loop, without a thread or a task per message."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

from inference.engine import WorkerSpec
from inference.governor import GOVERNED, Governor, usual_threads
from inference.wire import (
    MAX_FROM_WORKER,
    FromWorker,
    LineSplitter,
    Open,
    Run,
    ToWorker,
    WireError,
    decode_from_worker,
    encode_to_worker,
)

_ROOT = Path(__file__).resolve().parent.parent
_STDIN = 0

SCRATCH_PREFIX = "qwen-portal-engine-"
# How long a worker may take to leave once its input is closed, in seconds, before it is killed.
CLOSE_GRACE_S = 1.0


def worker_environment() -> dict[str, str]:
    """Return the whole environment of a worker: nothing of ours, so no secret can be in it.

    OMP_DYNAMIC: see `inference.governor`, which takes a thread away while another process needs its core. Without
    it, waiting threads would have to sleep (OMP_WAIT_POLICY=passive), which costs a third of a quiet machine's speed.
    MALLOC_ARENA_MAX: each arena reserves 64 MiB of the address space that we limit. OPENBLAS_NUM_THREADS: numpy,
    which an engine may import, would make threads before the cage is there, and the cage binds no older thread.
    GLIBC_TUNABLES: asks the kernel for huge pages, without which looking up addresses costs a twentieth of the speed
    (measured on two cores, Q4_0: 71.7 to 77.4 tokens per second). It is a request: where the kernel has none, or the C
    library does not know the word, all goes on as before.
    """
    return {
        "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
        "LC_ALL": "C.UTF-8",
        "MALLOC_ARENA_MAX": "2",
        "OMP_DYNAMIC": "true",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONPATH": str(_ROOT),
    }


class _Ear(asyncio.Protocol):
    """Listen to a worker. Its own pipe, as asyncio's for subprocesses takes one more step per message."""

    def __init__(self, worker: WorkerProcess) -> None:
        self._worker = worker

    def data_received(self, data: bytes) -> None:
        """Hand on what was heard."""
        self._worker.hear(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell that nothing more will be heard."""
        self._worker.note_end()


class WorkerProcess(asyncio.SubprocessProtocol):
    """Be one worker: send it messages, get its messages by a callback, know when and why it has gone.

    `gone` gets the reason when the process has ended and the last of what it had said has been heard.
    """

    _transport: asyncio.SubprocessTransport

    def __init__(self, on_message: Callable[[FromWorker], None]) -> None:
        self._on_message = on_message
        self._splitter = LineSplitter(MAX_FROM_WORKER)
        self._killed_for = ""
        self._ends_awaited = 2
        self.governor: Governor | None = None
        self.scratch = tempfile.mkdtemp(prefix=SCRATCH_PREFIX)
        self.gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._transport.get_pid()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport, as asyncio hands it over."""
        self._transport = cast(asyncio.SubprocessTransport, transport)

    def hear(self, data: bytes) -> None:
        """Hand on what the worker says; kill it if that is no message.

        It says nothing before it has loaded, so its folder is not needed any more.
        """
        self._remove_scratch()
        try:
            for line in self._splitter.feed(data):
                if not self._killed_for:
                    self._on_message(decode_from_worker(line))
        except WireError:
            self.kill("the worker broke the protocol")

    def process_exited(self) -> None:
        """Note that the process has ended."""
        self.note_end()

    def note_end(self) -> None:
        """Note one of the two ends: of the process, and of what it says."""
        self._remove_scratch()
        self._ends_awaited -= 1
        if self.governor is not None:
            self.governor.stop()
        if not self._ends_awaited and not self.gone.done():
            self.gone.set_result(self._killed_for or "the worker ended unexpectedly")

    def _remove_scratch(self) -> None:
        if self.scratch:
            shutil.rmtree(self.scratch, ignore_errors=True)
            self.scratch = ""

    def send(self, message: ToWorker) -> None:
        """Send a message; nothing happens if the worker has gone. Raise WireError if it is too large."""
        line = encode_to_worker(message)
        pipe = cast("asyncio.WriteTransport | None", self._transport.get_pipe_transport(_STDIN))
        if pipe is not None and not pipe.is_closing():
            pipe.write(line)
        if self.governor is not None and isinstance(message, Run):
            self.governor.wake()

    def kill(self, reason: str) -> None:
        """End the process at once. The reason must be safe to show."""
        self._killed_for = self._killed_for or reason
        if not self.gone.done():
            with contextlib.suppress(ProcessLookupError):
                self._transport.kill()

    async def close(self) -> None:
        """Let the worker leave, kill it if it does not; return when it is gone and its pipes are closed."""
        pipe = self._transport.get_pipe_transport(_STDIN)
        if pipe is not None:
            pipe.close()
        try:
            await asyncio.wait_for(asyncio.shield(self.gone), CLOSE_GRACE_S)
        except TimeoutError:
            self.kill("the worker did not leave")
            await self.gone
        finally:
            self._transport.close()


def sweep_scratch(*, older_than_s: float) -> list[str]:
    """Remove folders of workers whose portal was killed while they loaded; return the names.

    No worker loads for longer than `inference.supervisor` lets it, so give more than that. Only our own folders, never
    through a link: the place is everybody's.
    """
    removed = []
    for path in Path(tempfile.gettempdir()).glob(f"{SCRATCH_PREFIX}*"):
        with contextlib.suppress(OSError):
            found = path.lstat()
            is_old = time.time() - found.st_mtime > older_than_s
            if is_old and found.st_uid == os.getuid() and stat.S_ISDIR(found.st_mode):
                shutil.rmtree(path)
                removed.append(path.name)
    return removed


async def start_worker(spec: WorkerSpec, on_message: Callable[[FromWorker], None]) -> WorkerProcess:
    """Start a worker and tell it what to load. Raise OSError if no process can be made.

    `-P` and the working directory keep the worker from importing whatever lies where the portal was started.
    """
    loop = asyncio.get_running_loop()
    worker = WorkerProcess(on_message)
    inward, outward = os.pipe()
    ear, _ = await loop.connect_read_pipe(lambda: _Ear(worker), os.fdopen(inward, "rb", 0))
    try:
        await loop.subprocess_exec(
            lambda: worker,
            *(sys.executable, "-P", "-m", "inference.worker", str(os.getpid())),
            stdin=asyncio.subprocess.PIPE,
            stdout=outward,
            stderr=asyncio.subprocess.DEVNULL,
            env=worker_environment(),
            cwd="/",
            close_fds=True,
        )
    except BaseException:
        ear.close()  # This also ends the folder.
        raise
    finally:
        os.close(outward)
    worker.send(Open(replace(spec, scratch_path=worker.scratch)))
    if spec.engine in GOVERNED:
        worker.governor = Governor(worker.pid, most=spec.threads or usual_threads())
    return worker
