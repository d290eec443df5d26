"""A model that cannot run is stood in for by one that is approved, is tried again, and is told; none is made up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from asgiref.sync import sync_to_async
from pytest_django import Settings

from accounts.models import User
from audit.models import AuditEvent
from chat import holdback as holdback_module
from chat import serving as serving_module
from chat.holdback import FIRST_S, LONGEST_S, Holdback, Mending
from chat.serving import Serving
from common.threads import in_database_thread
from inference.config import SCRIPTED_MODEL, PoolConfig
from registry.models import ModelArtifact
from registry.services import Activation, reject, retire
from registry.verifying import look_at, note_finding
from tests.conftest import Cast
from tests.console import support
from tests.inference.support import scripted, until

pytestmark = pytest.mark.django_db(transaction=True)

FAILING: set[str] = set()
TRIED: list[str] = []


async def tuned(artifact: ModelArtifact | None) -> PoolConfig:
    """Return a pool of the scripted engine under an artefact's name, which does not load if it is FAILING."""
    assert artifact is not None

    async def verify() -> str:
        TRIED.append(artifact.sha256)
        return "model_invalid" if artifact.sha256 in FAILING else ""

    return replace(scripted(model=replace(SCRIPTED_MODEL, digest=artifact.sha256)), verify=verify)


@pytest.fixture
def people(key_file: Path, cast: Cast) -> Cast:
    return cast


@pytest.fixture
async def serving(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path, people: Cast
) -> AsyncIterator[Serving]:
    settings.PORTAL = replace(settings.PORTAL, engine="auto")
    monkeypatch.setattr(serving_module, "WATCH_S", 0.02)
    monkeypatch.setattr(serving_module, "_tuned", tuned)
    FAILING.clear()
    TRIED.clear()
    serving = Serving()
    yield serving
    await serving.close()
    await in_database_thread(int)()  # what it asked the database last is answered


def two_models(cast: Cast, *, beside: bool = False) -> tuple[ModelArtifact, ModelArtifact]:
    """Return the one that was in use before, or is beside, and the one that is the first choice."""
    other = support.second_operator()
    old = support.activate(1, by=other, second=cast.operator)
    how = Activation.BESIDE if beside else Activation.REPLACE
    return old, support.activate(2, by=other, second=cast.operator, activation=how)


def answering(serving: Serving) -> str:
    pool = serving.pool_of(None)
    return pool.config.model.digest if pool is not None and pool.state == "ready" else ""


@pytest.mark.parametrize("beside", [False, True])
async def test_at_the_start_the_next_usable_model_stands_in_for_one_that_does_not_load(
    serving: Serving, people: Cast, beside: bool
) -> None:
    old, new = await sync_to_async(two_models)(people, beside=beside)
    FAILING.add(new.sha256)
    await serving.start()
    await until(lambda: answering(serving) == old.sha256)
    tenant = people.member.tenant_id
    assert serving.model_of(tenant).digest == old.sha256
    assert serving.errors[new.sha256] == "the model file cannot be loaded"
    assert serving.standing_in == (frozenset() if beside else {old.sha256})


async def test_what_did_not_load_is_tried_again_and_takes_its_place_back(
    serving: Serving, people: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holdback_module, "FIRST_S", 0.2)
    old, new = await sync_to_async(two_models)(people)
    FAILING.add(new.sha256)
    await serving.start()
    await until(lambda: answering(serving) == old.sha256)
    FAILING.clear()
    await until(lambda: answering(serving) == new.sha256)
    await until(lambda: serving.fleet is not None and set(serving.fleet.digests) == {new.sha256})
    assert (serving.errors, serving.standing_in) == ({}, frozenset())


async def test_a_file_that_is_written_anew_is_tried_at_once(serving: Serving, people: Cast) -> None:
    old, new = await sync_to_async(two_models)(people)
    FAILING.add(new.sha256)
    await serving.start()
    await until(lambda: answering(serving) == old.sha256)
    FAILING.clear()
    new.path.touch()
    await until(lambda: answering(serving) == new.sha256)


async def test_a_changed_file_is_stood_in_for_and_used_again_when_it_is_repaired(
    serving: Serving, people: Cast
) -> None:
    old, new = await sync_to_async(two_models)(people)
    await serving.start()
    await until(lambda: answering(serving) == new.sha256)
    whole = new.path.read_bytes()
    new.path.write_bytes(b"something else")
    await sync_to_async(lambda: note_finding(new, look_at(new)))()
    await until(lambda: answering(serving) == old.sha256)
    assert serving.standing_in == {old.sha256}
    new.path.write_bytes(whole)
    await until(lambda: answering(serving) == new.sha256)
    await new.arefresh_from_db()
    assert new.file_state == "ok"


async def test_a_file_that_was_repaired_while_no_server_ran_is_noticed_at_the_start(
    serving: Serving, people: Cast
) -> None:
    _old, new = await sync_to_async(two_models)(people)
    whole = new.path.read_bytes()
    new.path.write_bytes(b"something else")
    await sync_to_async(lambda: note_finding(new, look_at(new)))()
    new.path.write_bytes(whole)
    await serving.start()
    await until(lambda: answering(serving) == new.sha256)


async def test_nothing_stands_in_for_what_was_ended_or_is_not_approved(
    serving: Serving, people: Cast
) -> None:
    old, new = await sync_to_async(two_models)(people)
    await sync_to_async(reject)(old, by=people.officer, reason="not for us")
    FAILING.add(new.sha256)
    await serving.start()
    await until(lambda: answering(serving) == old.sha256)
    assert serving.pool_of(people.member.tenant_id) is None
    await sync_to_async(retire)(new, by=people.operator, reason="broken")
    await until(lambda: serving.pool_of(None) is None)
    assert serving.reason.startswith("no model is active")


async def test_without_another_model_the_pool_says_that_it_failed_and_goes_on_trying(
    serving: Serving, people: Cast
) -> None:
    new = await sync_to_async(
        lambda: support.activate(1, by=support.second_operator(), second=people.operator)
    )()
    FAILING.add(new.sha256)
    await serving.start()
    pool = serving.pool_of(None)
    assert pool is not None
    await until(lambda: pool.state == "failed")
    assert pool.last_error == "the model file cannot be loaded"


def test_the_pauses_grow_to_a_bound(tmp_path: Path) -> None:
    held, now, pauses = Holdback(), 0.0, []
    for _ in range(8):
        held.note("a", tmp_path, now=now)
        began = now
        while held.holds("a", now=now):
            now += FIRST_S
        pauses.append(now - began)
    assert pauses[:3] == [FIRST_S, 2 * FIRST_S, 4 * FIRST_S]
    assert pauses[-1] == LONGEST_S


def test_a_file_that_is_still_being_copied_is_left_alone(tmp_path: Path, settings: Settings) -> None:
    settings.PORTAL = replace(settings.PORTAL, data_dir=tmp_path)
    row, mending = ModelArtifact(sha256="a", format="gguf"), Mending()
    row.path.parent.mkdir(parents=True, exist_ok=True)
    for size in range(1, 4):
        row.path.write_bytes(b"x" * size)
        assert not mending.look([row])
    assert mending.look([row])
    assert mending.waiting == [row]
    mending.settle(row)
    assert not mending.look([row])


async def test_who_stands_in_is_recorded_once_however_often_the_other_is_tried(
    serving: Serving, people: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holdback_module, "FIRST_S", 0.05)
    monkeypatch.setattr(holdback_module, "LONGEST_S", 0.05)
    old, new = await sync_to_async(two_models)(people)
    FAILING.add(new.sha256)
    await serving.start()
    tries = TRIED.count(new.sha256)
    await until(lambda: TRIED.count(new.sha256) >= tries + 3)
    recorded = AuditEvent.objects.filter(action="model.stand_in").values_list("model_digest", flat=True)
    assert [digest async for digest in recorded] == [old.sha256]


async def test_who_answers_while_the_next_one_loads_stands_in_for_nobody(
    serving: Serving, people: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = await sync_to_async(lambda: two_models(people)[1])()
    await serving.start()
    await until(lambda: answering(serving) == old.sha256)
    loading, go_on = asyncio.Event(), asyncio.Event()

    async def slowly(artifact: ModelArtifact | None) -> PoolConfig:
        loading.set()
        await go_on.wait()
        return await tuned(artifact)

    monkeypatch.setattr(serving_module, "_tuned", slowly)
    other = await sync_to_async(lambda: User.objects.get(handle="hao"))()
    new = await sync_to_async(support.activate)(3, by=other, second=people.operator)
    serving.note_change()
    await loading.wait()
    assert answering(serving) == old.sha256
    assert serving.standing_in == frozenset()
    go_on.set()
    await until(lambda: answering(serving) == new.sha256)
    assert not await AuditEvent.objects.filter(action="model.stand_in").aexists()
