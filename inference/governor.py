"""Let a worker compute with as many threads as cores are free, and change that while it computes.

Threads of one computation wait for each other hundreds of times per token. Where one of them has to share its core
with another process, all lose what it loses: two threads on two cores fall from 60 tokens per second to between 1 and
30, while one thread alone makes 40, busy neighbour or not. So the thread that needs a shared core is taken out while
the neighbour is there.

llama.cpp's server has no call for that, but its OpenMP runtime (GNU libgomp) asks before every computation: with
`OMP_DYNAMIC=true` (`inference.process.worker_environment`) it takes no more threads than the calling thread's affinity
names cores, less the machine's load average, which a worker cannot read. So the affinity of the asking thread,
set from outside, says how many there are. Nothing of the worker's cage has to be opened for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
from dataclasses import dataclass
from pathlib import Path

# Seconds between two looks. The kernel counts in hundredths: a look tells cores to within a tenth.
INTERVAL_S = 0.1
# Looks in a row at a worker that does nothing, after which nobody looks until the next turn.
IDLE_LOOKS = 10
# A share of a core below which a worker does nothing.
IDLE_CORES = 0.05
# A neighbour that wants a whole core gets half of it as long as we use it, too: more than this much of a core in
# others' use takes a thread away, less than that gives it back. In between nothing changes.
TAKE_ABOVE, GIVE_BELOW = 0.4, 0.2

# Engines that ask OpenMP how many threads to take. Others would only be squeezed onto fewer cores.
GOVERNED = frozenset({"llamacpp", "native"})

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Look:
    """Hold processor time in seconds, since always: `idle` of each core that we may use, `own` of the worker."""

    at: float
    idle: dict[int, float]
    own: float


def usual_threads() -> int:
    """Return the threads for a governed worker where nothing was measured.

    All cores but one, which stays free for the web process; of two cores both, as one thread has half the speed and
    the governor takes the other away while somebody else needs it.
    """
    cores = len(os.sched_getaffinity(0))
    return max(cores - 1, min(cores, 2))


def decide(threads: int, *, others: float, cores: int, most: int) -> int:
    """Return how many threads to compute with, given how many there are and how many cores others use."""
    free = cores - others
    fewer, more = math.floor(free + TAKE_ABOVE), math.floor(free + GIVE_BELOW)
    wanted = fewer if threads > fewer else max(threads, more)
    return max(1, min(wanted, most))


def look_at(pid: int, cores: set[int]) -> Look | None:
    """Return what the kernel has counted of a process and of those cores, None where it does not say."""
    try:
        own = _cpu_s(_PROC / str(pid) / "stat")
        lines = (_PROC / "stat").read_text().splitlines()
    except OSError:
        return None
    idle = {}
    for line in lines:
        name, *times = line.split()
        if name[:3] == "cpu" and name[3:].isdigit() and int(name[3:]) in cores:
            idle[int(name[3:])] = (int(times[3]) + int(times[4])) / _TICKS_PER_S
    return Look(asyncio.get_running_loop().time(), idle, own) if idle else None


def used_by_others(before: Look, after: Look) -> float:
    """Return how many cores were neither idle nor the process's own between two looks."""
    idle = sum(spent - before.idle.get(core, spent) for core, spent in after.idle.items())
    own = after.own - before.own
    return max(0.0, len(after.idle) - (idle + own) / (after.at - before.at))


class Governor:
    """Watch over one worker while it computes. All methods belong to the event loop's thread.

    `threads` is with how many it computes now, `most` with how many it may.
    """

    def __init__(self, pid: int, *, most: int) -> None:
        self._pid = pid
        self._most = most
        self._cores = os.sched_getaffinity(0)
        self._last: Look | None = None
        self._others = 0.0
        self._idle_looks = 0
        self._timer: asyncio.TimerHandle | None = None
        self._spent: dict[int, float] = {}
        self._asking = 0
        self._is_over = False
        self.threads = most

    def wake(self) -> None:
        """Begin to look, if nobody does: the worker has been given something to do.

        What others did before nobody looked is forgotten. One who is still there is seen at the first look; one who has
        gone would cost the first words a third of a second.
        """
        self._idle_looks = 0
        if self._timer is None and not self._is_over and max(self._most, self.threads) > 1:
            self._last = look_at(self._pid, self._cores)
            self._others = 0.0
            self._set(self._most)
            self._timer = asyncio.get_running_loop().call_later(INTERVAL_S, self._tick)

    def stop(self) -> None:
        """Look no more: the worker has gone."""
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def limit(self, most: int) -> None:
        """Compute with at most that many threads from now on, and with as many at first."""
        self._most = most
        self._others = 0.0
        self._set(most)

    def _tick(self) -> None:
        self._timer = None
        look, before = look_at(self._pid, self._cores), self._last
        if look is None or before is None:
            return
        self._last = look
        if not self._asking:
            with contextlib.suppress(OSError):
                self._find_asking()
        self._learn(before, look)
        self._set(decide(self.threads, others=self._others, cores=len(look.idle), most=self._most))
        if self._idle_looks < IDLE_LOOKS:
            self._timer = asyncio.get_running_loop().call_later(INTERVAL_S, self._tick)

    def _learn(self, before: Look, look: Look) -> None:
        """Take a look into the mean of what others use, in cores; the latest counts half."""
        self._others += 0.5 * (used_by_others(before, look) - self._others)
        is_idle = look.own - before.own < IDLE_CORES * (look.at - before.at)
        self._idle_looks = self._idle_looks + 1 if is_idle else 0

    def _set(self, threads: int) -> None:
        """Let the thread that asks for computations see that many cores, those that were idle longest so far.

        The others may stay where they are: one that shared the only core of the asking one, in the middle of a
        computation, would wait for it there for seconds.
        """
        if threads == self.threads or self._last is None or not self._asking:
            return
        idle = self._last.idle
        cores = set(sorted(idle, key=lambda core: -idle[core])[:threads])
        with contextlib.suppress(OSError):
            os.sched_setaffinity(self._asking, cores)
            self.threads = threads

    def _find_asking(self) -> None:
        """Find the thread that asks for computations: the oldest of those that have computed since the first look."""
        tasks = (_PROC / str(self._pid) / "task").iterdir()
        spent = {int(task.name): _cpu_s(task / "stat") for task in tasks}
        grown = {thread: now - self._spent.setdefault(thread, now) for thread, now in spent.items()}
        if (most := max(grown.values())) >= INTERVAL_S / 2:
            self._asking = min(thread for thread, seconds in grown.items() if seconds >= most / 2)


def _cpu_s(path: Path) -> float:
    """Read user and system time from a `stat` file of a process or thread. Its name may hold anything but `)`."""
    fields = path.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
