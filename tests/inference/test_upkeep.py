"""What makes a worker due to be replaced, and what does not."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest

from inference import memory, upkeep
from inference.engine import ModelInfo
from inference.pool import InferencePool, PoolConfig
from inference.speed import LATELY, USUALLY, Speedometer
from tests.inference.support import (
    GENEROUS,
    answer,
    ask,
    is_alive,
    open_pool,
    scripted,
    text_of,
    until,
    worker_of,
)


def age(pool: InferencePool, seconds: float) -> None:
    """Let the active worker be so many seconds older."""
    child = pool._scheduler.worker.active
    assert child is not None
    child.born -= seconds


async def is_replaced(pool: InferencePool, first: int) -> bool:
    """Let the pool look, as it does once a minute; say whether the worker is replaced."""
    pool._scheduler.upkeep._look()
    await asyncio.sleep(0)
    if pool._scheduler.upkeep._task is None:
        return False
    await until(lambda: pool._scheduler.upkeep._task is None)
    assert worker_of(pool) != first
    assert not is_alive(first)
    return True


async def test_a_worker_is_replaced_after_so_many_turns_and_none_is_lost() -> None:
    async with open_pool(scripted(slots=2, recycle_turns=10)) as pool:
        first = worker_of(pool)
        for number in range(25):
            assert text_of(await answer(pool, ask("Hello 1"))) == "Hello 1 word1", number
        await until(lambda: pool.status().recycles >= 1)
        assert worker_of(pool) != first
        assert pool.status().last_recycle == "turns"


async def test_a_worker_is_replaced_once_a_night() -> None:
    config = replace(scripted(), recycle_hour=time.localtime().tm_hour)
    async with open_pool(config) as pool:
        first = worker_of(pool)
        assert not await is_replaced(pool, first), "one that has just been started"
        age(pool, upkeep.NIGHTLY_AGE_S)
        assert await is_replaced(pool, first)
        assert not await is_replaced(pool, worker_of(pool)), "a second time in the same night"


@pytest.mark.parametrize("hour", [None, (time.localtime().tm_hour + 12) % 24])
async def test_a_worker_is_not_replaced_at_another_hour(hour: int | None) -> None:
    async with open_pool(replace(scripted(), recycle_hour=hour)) as pool:
        age(pool, 10 * upkeep.NIGHTLY_AGE_S)
        assert not await is_replaced(pool, worker_of(pool))


async def test_a_worker_that_has_taken_too_much_memory_is_replaced_but_not_again_and_again() -> None:
    # The interpreter itself takes more than this.
    async with open_pool(replace(scripted(), soft_bytes=1 << 20)) as pool:
        first = worker_of(pool)
        assert not await is_replaced(pool, first), "it would help nothing"
        age(pool, upkeep.FLOOR_S)
        assert await is_replaced(pool, first)
        assert not await is_replaced(pool, worker_of(pool))


@pytest.mark.model
async def test_a_real_worker_stays_below_the_soft_limit_that_is_derived_from_its_hard_one(
    starter_model: Path,
) -> None:
    model = ModelInfo("starter", "", 512)
    config = PoolConfig(starter_model, model, "llamacpp", slots=2, limits=GENEROUS)
    async with open_pool(config) as pool:
        await answer(pool, ask("Say hi. " * 20))
        age(pool, upkeep.FLOOR_S)
        assert not await is_replaced(pool, worker_of(pool))
        child = pool._scheduler.worker.active
        assert child is not None
        assert 0 < child.own_bytes < child.soft_bytes
        # The mapped file is not the worker's own: what it has taken is less than all that is resident.
        resident = memory._sizes(Path(f"/proc/{child.pid}/status"))["VmRSS"]
        assert child.own_bytes < resident
        child.soft_bytes = child.own_bytes
        assert await is_replaced(pool, worker_of(pool))


async def test_a_worker_that_has_become_slow_is_replaced_but_not_again_and_again() -> None:
    async with open_pool(scripted()) as pool:
        first = worker_of(pool)
        child = pool._scheduler.worker.active
        assert child is not None
        for pace in [50.0] * USUALLY + [5.0] * LATELY:
            child.speed.note(tokens_per_second=pace, tokens=50, turns=1)
        assert not await is_replaced(pool, first), "younger than the floor"
        age(pool, upkeep.FLOOR_S)
        assert await is_replaced(pool, first)
        age(pool, upkeep.FLOOR_S)
        assert not await is_replaced(pool, worker_of(pool))


def paced(*paces: float, turns: int = 1, tokens: int = 50) -> Speedometer:
    speed = Speedometer()
    for pace in paces:
        speed.note(tokens_per_second=pace, tokens=tokens, turns=turns)
    return speed


def test_a_slow_down_is_measured_against_the_workers_own_earlier_level() -> None:
    assert paced(*[40.0] * USUALLY, *[9.0] * LATELY).is_slow
    assert not paced(*[40.0] * USUALLY, *[11.0] * LATELY).is_slow
    assert not paced(*[9.0] * (USUALLY + LATELY)).is_slow


def test_a_few_slow_turns_or_a_few_earlier_ones_prove_nothing() -> None:
    assert not paced(*[40.0] * (USUALLY + LATELY), *[1.0] * (LATELY // 2)).is_slow
    assert not paced(*[40.0] * (USUALLY - 1), *[1.0] * LATELY).is_slow
    assert not paced(*[40.0] * USUALLY, *[1.0] * LATELY, tokens=2).is_slow


def test_more_turns_at_once_are_no_slow_down() -> None:
    speed = paced(*[40.0] * (USUALLY + LATELY))
    for _ in range(LATELY):
        speed.note(tokens_per_second=5, tokens=50, turns=8)
    assert not speed.is_slow


# --- reading memory ---------------------------------------------------------------------------------------------


def _kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(memory, "PROC", tmp_path / "proc")
    monkeypatch.setattr(memory, "CGROUPS", tmp_path / "cgroup")


MEMINFO = {"proc/meminfo": "MemTotal: 8000 kB\nMemAvailable:    4000 kB\nHugePages_Total:       0\n"}


def test_what_is_available_is_what_the_tightest_control_group_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = {
        "proc/self/cgroup": "0::/system.slice/portal.service\n",
        "cgroup/system.slice/portal.service/memory.max": "max\n",
        "cgroup/system.slice/memory.max": "2000000\n",
        "cgroup/system.slice/memory.current": "1500000\n",
        "cgroup/system.slice/memory.stat": "anon 5\ninactive_file 100000\n",
    }
    _kernel(tmp_path, monkeypatch, MEMINFO | group)
    assert memory.available_bytes() == 600_000


def test_without_a_control_group_it_is_what_the_machine_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _kernel(tmp_path, monkeypatch, MEMINFO)
    assert memory.available_bytes() == 4000 << 10


def test_what_the_kernel_does_not_tell_is_not_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _kernel(tmp_path, monkeypatch, {})
    assert (memory.available_bytes(), memory.own_bytes(1), memory.address_limit(1)) == (None, None, None)


def test_a_workers_own_memory_is_what_is_not_a_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status = "VmRSS: 900 kB\nRssAnon: 300 kB\nRssFile: 590 kB\nRssShmem: 10 kB\nVmSwap: 40 kB\n"
    limits = "Limit  Soft Limit  Hard Limit  Units\nMax address space         1048576              2097152   bytes\n"
    _kernel(tmp_path, monkeypatch, {"proc/7/status": status, "proc/7/limits": limits})
    assert memory.own_bytes(7) == 350 << 10
    assert memory.address_limit(7) == 1 << 20
