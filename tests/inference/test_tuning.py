"""The threads of a worker are chosen by measuring once, and the choice sees the cliff."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from inference.engine import ModelInfo, ThreadTrial
from inference.governor import usual_threads
from inference.pool import PoolConfig
from inference.thread_store import ThreadStore, key_of
from inference.tuning import candidates, choose, tune
from tests.inference.support import config_for, scripted

CORES = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("trials", "expected"),
    [
        ([(2, 60, 40), (1, 41, 41)], 2),
        ([(2, 60, 6), (1, 41, 41)], 1),  # the cliff
        ([(2, 60, 34), (1, 41, 41)], 2),
        ([(2, 60, 32), (1, 41, 41)], 1),
        ([(2, 41.5, 41), (1, 41, 41)], 1),  # a thread that gains nothing is left to others
        ([(8, 100, 90), (7, 99, 92), (4, 80, 80), (1, 30, 30)], 7),
    ],
)
def test_the_fastest_is_chosen_that_is_no_cliff(
    trials: list[tuple[int, float, float]], expected: int
) -> None:
    assert choose([ThreadTrial(*trial) for trial in trials]) == expected


def test_few_numbers_stand_for_many_cores() -> None:
    assert candidates(2) == (2, 1)
    assert candidates(64) == (64, 63, 32, 1)


def test_a_choice_is_kept_for_one_model_engine_library_and_slots(tmp_path: Path, starter_model: Path) -> None:
    config, store = config_for(starter_model, "llamacpp"), ThreadStore(tmp_path / "threads.json")
    trials = (ThreadTrial(2, 60.0, 40.0), ThreadTrial(1, 41.0, 41.0))
    key = key_of(config, library="one 1.0", cores=2)
    store.keep(key, trials)
    assert store.find(key, cores=2) == trials
    others = [
        key_of(config, library="one 1.1", cores=2),
        key_of(config, library="one 1.0", cores=4),
        key_of(replace(config, slots=8), library="one 1.0", cores=2),
        key_of(replace(config, engine="native"), library="one 1.0", cores=2),
        key_of(replace(config, model=ModelInfo("", "1", 512)), library="one 1.0", cores=2),
    ]
    assert [store.find(other, cores=4) for other in others] == [()] * len(others)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[",
        b"[]",
        b'{"k": 1}',
        b'{"k": [[9, 1, 1]]}',
        b'{"k": [["a", 1, 1]]}',
        b"\xff" * 10,
        b"[" * 9999,
    ],
)
def test_a_damaged_file_only_means_measuring_again(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "threads.json"
    path.write_bytes(content)
    assert ThreadStore(path).find("k", cores=2) == ()
    ThreadStore(path).keep("k", (ThreadTrial(1, 2.0, 3.0),))
    assert ThreadStore(path).find("k", cores=2) == (ThreadTrial(1, 2.0, 3.0),)


@pytest.mark.skipif(CORES < 2, reason="nothing to choose with one core")
def test_the_first_start_measures_and_the_next_one_knows(tmp_path: Path, starter_model: Path) -> None:
    config = config_for(starter_model, "llamacpp")
    first = asyncio.run(tune(config, folder=tmp_path))
    if not first.trials:
        pytest.skip("this machine was too busy to measure within the bound")
    assert [trial.threads for trial in first.trials] == list(candidates(CORES))
    assert all(trial.quiet > 0 and trial.busy > 0 for trial in first.trials)
    assert first.threads == choose(first.trials)
    assert len(json.loads((tmp_path / "threads.json").read_text())) == 1
    began = asyncio.run(_timed(config, tmp_path))
    assert began < 0.5


async def _timed(config: PoolConfig, folder: Path) -> float:
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert (await tune(config, folder=folder)).trials
    return loop.time() - began


def test_what_the_operator_set_and_what_has_no_choice_is_not_measured(
    tmp_path: Path, starter_model: Path
) -> None:
    for config in (replace(config_for(starter_model, "llamacpp"), threads=1), scripted()):
        assert asyncio.run(tune(config, folder=tmp_path)) == config
    assert not list(tmp_path.iterdir())


def test_a_model_that_does_not_load_is_not_measured_for_long(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"no model")
    config = config_for(broken, "llamacpp")
    assert asyncio.run(tune(config, folder=tmp_path)) == config
    assert not (tmp_path / "threads.json").exists()
    assert 1 <= usual_threads() <= CORES


def test_a_disturbed_measurement_is_not_kept(tmp_path: Path, starter_model: Path) -> None:
    config = config_for(starter_model, "llamacpp")
    neighbours = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(CORES)]
    try:
        assert asyncio.run(tune(config, folder=tmp_path)) == config
    finally:
        for neighbour in neighbours:
            neighbour.kill()
            neighbour.wait()
    assert not (tmp_path / "threads.json").exists()
