"""A model in operation is watched from the audit log alone, and what shifts raises an alert."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command

from audit import services as audit
from common import clock
from registry.models import ModelArtifact
from registry.services import import_file
from registry.watching import Totals, Watch, alerts_of, drift_of, watch
from tests.conftest import Cast

NOW = datetime(2026, 3, 12, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def totals(
    *,
    answers: int = 200,
    mean: float = 100,
    deviation: float = 40,
    failures: int = 0,
    withdrawn: int = 0,
    tps: float = 20,
) -> Totals:
    squares = deviation**2 * (answers - 1) + answers * mean**2
    return Totals(
        turns=answers + failures + withdrawn,
        failures=failures,
        withdrawn=withdrawn,
        answers=answers,
        tokens=answers * mean,
        squares=squares,
        decode_tokens=answers * mean,
        decode_ms=answers * mean / tps * 1000,
    )


@pytest.mark.parametrize(
    ("recent", "baseline", "codes"),
    [
        (totals(), totals(), []),
        (totals(mean=119), totals(), []),  # 0.48 of a deviation
        (totals(mean=121), totals(), ["longer"]),
        (totals(mean=79), totals(), ["shorter"]),
        (totals(mean=121, answers=30), totals(), []),  # 2.7 standard errors
        (totals(mean=121, answers=50), totals(), ["longer"]),
        (totals(mean=200, answers=29), totals(), []),
        (totals(mean=200), totals(answers=99), []),
        (totals(failures=10), totals(), []),  # 4.8 %
        (totals(failures=11), totals(), ["failures"]),
        (totals(answers=9, failures=10), totals(), []),  # 19 turns
        (totals(answers=10, failures=10), totals(), ["failures"]),
        (totals(withdrawn=22), totals(), []),
        (totals(withdrawn=23), totals(), ["withdrawn"]),
        (totals(withdrawn=23), totals(withdrawn=20), []),
        (totals(tps=12.1), totals(), []),
        (totals(tps=11.9), totals(), ["slower"]),
        (totals(tps=1, answers=29), totals(), []),
        (totals(deviation=0, mean=101), totals(deviation=0), ["longer"]),
        (totals(deviation=0), totals(deviation=0), []),
        (
            totals(tps=2, mean=300, failures=100, withdrawn=200),
            totals(),
            ["failures", "withdrawn", "longer", "slower"],
        ),
        (Totals(), Totals(), []),
    ],
)
def test_an_alert_is_raised_beyond_its_bound_and_not_before(
    recent: Totals, baseline: Totals, codes: list[str]
) -> None:
    assert [alert.code for alert in alerts_of(recent, baseline)] == codes


def test_drift_is_the_shift_of_the_mean_in_deviations_of_before() -> None:
    assert drift_of(totals(mean=130), totals()) == pytest.approx(0.75)
    assert drift_of(totals(mean=90), totals()) == pytest.approx(-0.25)
    assert drift_of(totals(answers=29), totals()) is None
    assert drift_of(totals(deviation=0, mean=9), totals(deviation=0)) == -math.inf


Say = Callable[..., None]


@pytest.fixture
def artifact(store: Path, model_file: Path, cast: Cast) -> ModelArtifact:
    return import_file(model_file, source="a disk")


@pytest.fixture
def say(artifact: ModelArtifact, monkeypatch: pytest.MonkeyPatch) -> Say:
    """Return what writes an event of this artefact, so many hours ago."""

    def write(
        hours: float,
        *,
        tenant: UUID | None,
        action: str = "chat.complete",
        tokens: int | None = 100,
        first: int | None = 500,
        duration: int | None = 5500,
        digest: str = artifact.sha256,
    ) -> None:
        monkeypatch.setattr(audit, "now", lambda: NOW - hours * HOUR)
        audit.record_event(
            action=action,
            tenant_id=tenant,
            actor=None,
            model_digest=digest,
            duration_ms=duration,
            first_token_ms=first,
            tokens_in=7,
            tokens_out=tokens,
        )

    monkeypatch.setattr(clock, "now", lambda: NOW)
    return write


def test_a_day_sums_up_turns_failures_speed_first_words_and_length(
    artifact: ModelArtifact, say: Say, cast: Cast
) -> None:
    north = cast.admin.tenant_id
    for tokens, first in ((101, 100), (51, 200), (151, 900)):
        say(1, tenant=north, tokens=tokens, first=first, duration=first + 5000)
    say(1, tenant=north, action="chat.failed", tokens=0, first=None)
    say(1, tenant=north, action="policy.block_output", tokens=30)
    say(1, tenant=north, action="chat.interrupted", tokens=None, first=None, duration=None)
    say(1, tenant=north, action="chat.stop", tokens=None, first=None, duration=None)  # In the queue.
    say(1, tenant=north, action="chat.request", tokens=None, first=None, duration=None)
    say(1, tenant=north, digest="0" * 64)
    today, yesterday, *_ = watch(artifact, tenant_id=north).days
    assert (today.totals.turns, today.totals.failures, today.totals.withdrawn) == (6, 2, 1)
    assert today.totals.tokens_per_second == pytest.approx(300 / 15)
    assert (today.totals.first_token_p50_ms, today.totals.first_token_p95_ms) == (500, 900)
    assert today.totals.mean_length == pytest.approx(101)
    assert today.totals.length_deviation == pytest.approx(50)
    assert yesterday.totals == Totals()
    assert (yesterday.date - today.date).days == -1


def test_an_organisation_sees_its_own_and_operators_only_sums(
    artifact: ModelArtifact, say: Say, cast: Cast
) -> None:
    north, south = cast.admin.tenant_id, cast.outsider.tenant_id
    say(1, tenant=north)
    say(1, tenant=north)
    say(1, tenant=south)
    assert turns(watch(artifact, tenant_id=north)) == 2
    assert turns(watch(artifact, tenant_id=south)) == 1
    everything = watch(artifact, tenant_id=None)
    assert turns(everything) == 3
    assert str(north) not in repr(everything)


def test_absurd_numbers_of_a_worker_do_not_break_the_watch(
    artifact: ModelArtifact, say: Say, cast: Cast
) -> None:
    for _ in range(3):
        say(1, tenant=cast.admin.tenant_id, tokens=2_147_483_647, duration=2_147_483_647)
    assert turns(watch(artifact, tenant_id=None)) == 3


def test_longer_answers_of_the_last_day_raise_an_alert_against_those_since_the_activation(
    artifact: ModelArtifact, say: Say, cast: Cast
) -> None:
    tenant = cast.admin.tenant_id
    for n in range(100):
        say(48, tenant=tenant, tokens=80 + n % 40)
        say(240, tenant=tenant, tokens=400)  # Before its activation: another life.
    for n in range(30):
        say(3, tenant=tenant, tokens=110 + n % 40)
    artifact.activated_at = NOW - 100 * HOUR
    artifact.save(update_fields=["activated_at"])
    seen = watch(artifact, tenant_id=None)
    assert seen.baseline.answers == 100
    assert seen.drift is not None
    assert seen.drift > 2
    assert [alert.code for alert in seen.alerts] == ["longer"]


def test_the_command_shows_the_days_and_fails_where_there_are_alerts(
    artifact: ModelArtifact, say: Say, cast: Cast
) -> None:
    out = io.StringIO()
    say(1, tenant=cast.admin.tenant_id)
    call_command("model", "watch", "r1", stdout=out)
    assert "2026-03-12         1   0.0 %      0.0 %      20        500        500     100" in out.getvalue()
    for _ in range(20):
        say(1, tenant=cast.admin.tenant_id, action="chat.failed", tokens=0, first=None)
    with pytest.raises(CommandError):
        call_command("model", "watch", "r1", stdout=out)
    assert "ALERT Many answers failed" in out.getvalue()


def turns(seen: Watch) -> int:
    return sum(day.totals.turns for day in seen.days)
