"""The server follows the registry, whatever happens while it looks."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from django.db import OperationalError

from chat import plans as plans_module
from chat import serving as serving_module
from chat.plans import Plan, read_plan
from chat.serving import Serving
from inference.admission import AdmissionLimits
from inference.fleet import Fleet
from inference.pool import SCRIPTED_MODEL, InferencePool
from registry.models import ModelArtifact
from tests.conftest import Cast
from tests.console import support
from tests.inference.support import scripted, until

# The registry is read in the database's thread, also where a test says what it holds.
pytestmark = pytest.mark.django_db


@pytest.fixture
async def serving(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Serving]:
    """Follow a registry that is never there unless a test says what it holds."""
    monkeypatch.setattr(serving_module, "WATCH_S", 0.01)
    serving = Serving()
    serving.fleet = Fleet(AdmissionLimits())
    following = asyncio.create_task(serving._follow(serving.fleet))
    yield serving
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    await serving.fleet.close()


async def test_a_registry_that_could_not_be_read_is_read_again(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[frozenset[str]] = []

    def read(running: frozenset[str]) -> Plan:
        asked.append(running)
        if len(asked) <= 2:
            raise OperationalError("database is locked")
        return Plan(reason="read")

    monkeypatch.setattr(serving_module, "read_plan", read)
    serving.note_change()
    await until(lambda: serving.reason == "read")
    await asyncio.sleep(0.2)  # two readers, of which one may have failed last
    count = len(asked)
    await asyncio.sleep(0.1)
    assert len(asked) == count


async def test_a_model_is_stopped_while_another_one_loads(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert serving.fleet is not None
    used = await serving.fleet.launch(scripted(model=replace(SCRIPTED_MODEL, digest="a")))
    plan, loading = Plan(artifacts={"a": ModelArtifact(), "b": ModelArtifact()}, default="b"), asyncio.Event()

    async def load(_fleet: Fleet, _artifact: ModelArtifact) -> None:
        loading.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(serving_module, "read_plan", lambda _running: plan)
    monkeypatch.setattr(serving, "_load", load)
    serving.note_change()
    await asyncio.wait_for(loading.wait(), 5)
    assert used.state != "closed"
    plan = replace(plan, unsound=frozenset({"a"}))
    serving.note_change()
    await until(lambda: used.state == "closed")


async def test_what_ends_the_following_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    def broken(_running: frozenset[str]) -> Plan:
        raise ZeroDivisionError

    monkeypatch.setattr(serving_module, "read_plan", broken)
    monkeypatch.setattr(serving_module.logger, "critical", lambda text, _where: told.append(text))
    serving = Serving()
    serving.note_change()
    task = asyncio.create_task(serving._follow(Fleet(AdmissionLimits())))
    task.add_done_callback(serving_module._note_end)
    with pytest.raises(ZeroDivisionError):
        await task
    await asyncio.sleep(0)
    assert len(told) == 1


def test_a_model_that_is_activated_while_the_registry_is_read_is_known(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = support.activate(1, by=support.second_operator(), second=cast.operator)
    before: list[ModelArtifact] = []
    monkeypatch.setattr(plans_module, "active_artifacts", lambda: before)
    plan = read_plan(frozenset())
    assert set(plan.wanted.values()) == {row.sha256} == plan.artifacts.keys()


def test_a_stamp_that_cannot_be_read_stops_nobody_from_following(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(serving_module, "stamp_file", lambda: tmp_path / "file" / "stamp")
    assert serving_module._stamp_time() == 0.0


async def test_nobody_waits_for_a_model_that_others_use(monkeypatch: pytest.MonkeyPatch) -> None:
    tenant, fleet, serving, may_end = uuid.uuid4(), Fleet(AdmissionLimits()), Serving(), asyncio.Event()
    plan = Plan(artifacts={"a": ModelArtifact(), "b": ModelArtifact()}, wanted={tenant: "a"}, default="b")
    serving.fleet = fleet
    loaded: list[str] = []

    async def load(fleet: Fleet, artifact: ModelArtifact) -> None:
        digest = next(digest for digest, row in plan.artifacts.items() if row is artifact)
        loaded.append(digest)
        if digest == "a":
            await may_end.wait()
        fleet.pools[digest] = InferencePool(scripted())

    monkeypatch.setattr(serving_module, "read_plan", lambda _running: plan)
    monkeypatch.setattr(serving, "_load", load)
    following = asyncio.create_task(serving._follow_registry(fleet))
    await until(lambda: loaded == ["b", "a"])
    assert serving.pool_of(None) is fleet.pools["b"]
    assert (serving.pool_of(tenant), serving.is_settled) == (None, False)
    may_end.set()
    await following
    assert serving.pool_of(tenant) is fleet.pools["a"]
