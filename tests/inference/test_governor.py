"""A worker leaves a core to a neighbour that needs one, and takes it back."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from inference.governor import Governor, decide

CORES = os.sched_getaffinity(0)


def _spin() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"])


@pytest.fixture
def spinner() -> Iterator[int]:
    process = _spin()
    yield process.pid
    process.kill()
    process.wait()


@pytest.mark.parametrize(
    ("threads", "others", "expected"),
    [
        (2, 0.0, 2),
        (2, 0.35, 2),  # a little is no neighbour
        (2, 0.5, 1),  # half a core is what a neighbour gets that wants all of it
        (1, 1.0, 1),
        (1, 0.35, 1),  # what took a thread away must be gone before it comes back
        (1, 0.1, 2),
        (2, 2.0, 1),  # never none
        (1, 0.0, 2),
    ],
)
def test_a_thread_goes_while_a_neighbour_needs_its_core(threads: int, others: float, expected: int) -> None:
    assert decide(threads, others=others, cores=2, most=2) == expected


def test_many_threads_come_back_at_once_and_never_more_than_were_chosen() -> None:
    assert decide(1, others=0.0, cores=16, most=12) == 12
    assert decide(12, others=7.9, cores=16, most=12) == 8
    assert decide(8, others=4.5, cores=16, most=12) == 11


def test_a_worker_sees_as_many_cores_as_it_may_have_threads(spinner: int) -> None:
    async def limit(threads: int) -> int:
        governor = Governor(spinner, most=len(CORES))
        governor.limit(threads)
        governor.wake()
        for _look in range(400):
            await asyncio.sleep(0.05)
            if governor.threads == threads:
                break
        governor.stop()
        return len(os.sched_getaffinity(spinner))

    assert asyncio.run(limit(1)) == 1


@pytest.mark.skipif(len(CORES) < 2, reason="one core cannot be shared out")
def test_a_busy_neighbour_is_noticed_while_the_worker_computes(spinner: int) -> None:
    async def watch() -> list[int]:
        governor = Governor(spinner, most=len(CORES))
        neighbours = [_spin() for _ in CORES]
        governor.wake()
        seen: list[int] = []
        for _look in range(400):
            await asyncio.sleep(0.05)
            seen.append(governor.threads)
            if seen[-1] == 1:
                break
        for neighbour in neighbours:
            neighbour.kill()
            neighbour.wait()
        governor.stop()
        return seen

    assert asyncio.run(watch())[-1] == 1
    assert len(os.sched_getaffinity(spinner)) == 1
    assert os.sched_getaffinity(0) == CORES


def test_the_watch_ends_with_the_worker(spinner: int) -> None:
    async def watch() -> int:
        governor = Governor(spinner, most=2)
        governor.wake()
        os.kill(spinner, 9)
        await asyncio.sleep(0.3)
        governor.stop()
        return len(asyncio.all_tasks())

    assert asyncio.run(watch()) == 1
