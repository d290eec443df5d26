"""What the operator is shown of a pool."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.utils.translation import override

from chat.runtime import Runtime
from console.pools import ShownPool, facts_of, show_pools
from inference.admission import AdmissionLimits
from inference.engine import ModelInfo, ThreadTrial, WorkerReport
from inference.fleet import Fleet
from inference.pool import InferencePool, PoolStatus
from tests.conftest import Cast
from tests.inference.support import scripted
from tests.qwenportal.support import browser

WELL = PoolStatus(
    state="ready",
    circuit="closed",
    worker_pid=4711,
    standby="ready",
    draining=0,
    uptime_s=2 * 3600 + 5 * 60 + 9,
    turns=1234,
    tokens_per_second=41.26,
    is_slow=False,
    own_bytes=300 << 20,
    soft_bytes=900 << 20,
    running=2,
    queued=1,
    slots=4,
    restarts=0,
    recycles=1,
    last_recycle="nightly",
    last_recycle_at=0.0,
    last_error="",
)


def facts(status: PoolStatus) -> dict[str, tuple[str, str]]:
    return {fact.label: (fact.value, fact.tone) for fact in facts_of(status)}


def test_a_pool_that_is_well() -> None:
    with override("en"):
        shown = facts(WELL)
    assert shown["Answers under way"] == ("2 / 4", "")
    assert shown["Worker process"] == ("4711 · 2 h 5 min", "")
    assert shown["Speed"] == ("41.3 tokens/s", "")
    assert shown["Its own memory"] == ("300 MiB / 900 MiB", "")
    assert shown["Standby worker"] == ("ready", "ok")
    assert shown["Replaced as planned"] == ("1 · 1970-01-01 08:00 · at night", "")


def test_what_somebody_should_look_at_stands_out() -> None:
    with override("en"):
        assert facts(replace(WELL, is_slow=True))["Speed"][1] == "warn"
        assert facts(replace(WELL, circuit="half-open"))["Starting of workers"][1] == "warn"
        given_up = facts(replace(WELL, state="failed", circuit="open", worker_pid=None))
    assert given_up["Starting of workers"][1] == "danger"
    assert "Worker process" not in given_up


def test_without_a_pool_only_the_state_is_shown() -> None:
    assert show_pools(Runtime()) == [ShownPool("starting", [])]


def test_the_installation_page_shows_every_pool_and_every_model_that_did_not_load(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = Runtime()
    process.serving.fleet = fleet = Fleet(AdmissionLimits())
    for digest, name in (("a" * 64, "scripted heron"), ("b" * 64, "scripted egret")):
        model = ModelInfo(name=name, digest=digest, context_tokens=2048)
        fleet.pools[digest] = InferencePool(scripted(model=model))
    process.serving.errors = {"c" * 64: "there is not enough memory"}
    monkeypatch.setattr("console.views.runtime", lambda: process)
    text = browser(cast.operator).get("/console/installation/").text
    for shown in ("scripted heron</span></h2>", "scripted egret</span></h2>", "Engine · scripted egret"):
        assert shown in text
    assert "Engine · cccccccccccc" in text
    assert "there is not enough memory" in text


def test_the_engine_says_how_its_threads_were_chosen() -> None:
    trials = (ThreadTrial(1, 39.6, 39.2), ThreadTrial(2, 57.9, 39.7))
    report = WorkerReport("native", "llama-cpp-python 0.3.36", 2, trials)
    shown = {fact.label: fact.value for fact in facts_of(WELL, report)}
    assert shown["Engine"] == "native · llama-cpp-python 0.3.36"
    assert shown["Threads"] == "2"
    assert shown["Tokens/s by threads, alone / beside a busy core"] == "1: 40 / 39 · 2: 58 / 40"
