"""Several models at once, each with real workers, and one taking over from another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from inference.engine import ModelInfo, Origin
from inference.errors import Busy, EngineUnavailable, RateLimited
from inference.fleet import Fleet, ModelNotLoaded
from inference.pool import AdmissionLimits, InferencePool, PoolConfig
from tests.inference.support import GENEROUS, answer, ask, end_of, is_alive, scripted, until, worker_of

OLD = ModelInfo(name="scripted old", digest="a" * 64, context_tokens=2048)
NEW = ModelInfo(name="scripted new", digest="b" * 64, context_tokens=2048)


@pytest.fixture
async def fleet() -> AsyncIterator[Fleet]:
    fleet = Fleet(GENEROUS)
    yield fleet
    await fleet.close()


async def test_each_model_has_its_own_worker_and_closing_leaves_none(fleet: Fleet) -> None:
    old, new = await fleet.add(scripted(model=OLD)), await fleet.add(scripted(model=NEW))
    pids = {worker_of(old), worker_of(new)}
    assert len(pids) == 2
    for pool in (old, new):
        assert end_of(await answer(pool, ask("Hello 3"))).reason == "complete"
    await fleet.close()
    assert not any(map(is_alive, pids))


async def test_limits_hold_over_all_models() -> None:
    fleet = Fleet(AdmissionLimits(rate_per_minute=2))
    try:
        old, new = await fleet.launch(scripted(model=OLD)), await fleet.launch(scripted(model=NEW))
        with old.admit(tenant="north", person="ann"), pytest.raises(Busy):
            new.admit(tenant="north", person="ann")
        new.admit(tenant="north", person="ann").release()
        with pytest.raises(RateLimited):
            old.admit(tenant="north", person="ann")
    finally:
        await fleet.close()


async def test_a_model_takes_over_from_another_without_a_refused_or_lost_turn(fleet: Fleet) -> None:
    await fleet.add(scripted(model=OLD, slots=2, scripted_ms=5))
    current, answered, is_over = OLD, list[str](), False

    async def person(name: str) -> None:
        while not is_over:
            pool = fleet.pools[current.digest]
            assert end_of(await answer(pool, ask("Hello 20"), person=name)).reason == "complete"
            answered.append(pool.config.model.name)

    people = [asyncio.create_task(person(f"p{number}")) for number in range(6)]
    await until(lambda: len(answered) >= 6)
    old_worker = worker_of(fleet.pools[OLD.digest])
    await fleet.add(scripted(model=NEW, slots=2, scripted_ms=5))
    current = NEW
    fleet.drain(OLD.digest)
    await until(lambda: fleet.leaving == 0 and answered[-6:].count(NEW.name) == 6)
    is_over = True
    await asyncio.gather(*people)
    assert not is_alive(old_worker)
    assert list(fleet.pools) == [NEW.digest]


async def test_a_model_that_does_not_load_leaves_the_others_alone(fleet: Fleet, tmp_path: Path) -> None:
    old = await fleet.add(scripted(model=OLD))
    broken = PoolConfig(tmp_path / "missing.gguf", replace(NEW, name="m"), "llamacpp", limits=GENEROUS)
    with pytest.raises(ModelNotLoaded, match="the model file cannot be read"):
        await fleet.add(broken)
    assert (list(fleet.pools.values()), fleet.leaving) == ([old], 0)
    assert end_of(await answer(old, ask("Hello 3"))).reason == "complete"


async def test_a_model_that_is_stopped_ends_its_turns_at_once_and_only_those(fleet: Fleet) -> None:
    old = await fleet.add(scripted(model=OLD, scripted_ms=20))
    new = await fleet.add(scripted(model=NEW, scripted_ms=1))
    long = asyncio.create_task(answer(old, ask("Hello 400")))
    await until(lambda: old.running == 1)
    fleet.stop(OLD.digest)
    with pytest.raises(EngineUnavailable):
        await long
    assert end_of(await answer(new, ask("Hello 3"), person="bob")).reason == "complete"


async def test_a_model_that_is_stopped_while_it_finishes_its_turns_ends_them_too(fleet: Fleet) -> None:
    old = await fleet.add(scripted(model=OLD, scripted_ms=20))
    long = asyncio.create_task(answer(old, ask("Hello 400")))
    await until(lambda: old.running == 1)
    fleet.drain(OLD.digest)
    assert fleet.digests == {OLD.digest}
    fleet.stop(OLD.digest)
    with pytest.raises(EngineUnavailable):
        await long
    await until(lambda: fleet.leaving == 0)


async def test_no_worker_starts_on_a_file_that_does_not_hold(fleet: Fleet) -> None:
    asked = []

    async def verify() -> str:
        asked.append(1)
        return "model_changed"

    with pytest.raises(ModelNotLoaded, match="no longer holds"):
        await fleet.add(replace(scripted(model=NEW), verify=verify))
    assert asked


async def test_the_file_is_checked_again_before_each_worker(fleet: Fleet) -> None:
    asked: list[int] = []

    async def verify() -> str:
        asked.append(1)
        return "model_changed" if len(asked) == 3 else ""

    pool: InferencePool = await fleet.add(replace(scripted(model=OLD), verify=verify))
    assert len(asked) == 1
    await fleet.recycle()
    assert len(asked) == 2
    with pytest.raises(EngineUnavailable):
        await fleet.recycle()
    # The worker that runs was started on the file as it was; whoever keeps the registry stops it.
    assert end_of(await answer(pool, ask("Hello 3"))).reason == "complete"


async def test_what_is_forgotten_is_forgotten_by_every_model(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(InferencePool, "forget", lambda pool, _origin: told.append(pool.config.model.name))
    await fleet.launch(scripted(model=OLD))
    await fleet.launch(scripted(model=NEW))
    fleet.forget(Origin(person="ann"))
    assert sorted(told) == [NEW.name, OLD.name]
