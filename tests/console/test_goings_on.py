"""What goes on with an artefact now is told as it is: coming, serving, going."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.urls import reverse

from accounts.models import User
from registry.models import ModelArtifact
from tests.conftest import Cast
from tests.console import support
from tests.qwenportal.support import browser


@pytest.fixture
def change(cast: Cast) -> tuple[ModelArtifact, ModelArtifact]:
    """One artefact in use and the one before it."""
    first = support.second_operator()
    old, new = (support.activate(number, by=first, second=cast.operator) for number in (1, 2))
    return old, new


def pool(artifact: ModelArtifact, state: str, *, running: int = 0) -> SimpleNamespace:
    config = SimpleNamespace(model=SimpleNamespace(digest=artifact.sha256))
    return SimpleNamespace(state=state, running=running, queued=0, config=config)


def serve(
    monkeypatch: pytest.MonkeyPatch,
    *,
    serving: list[Any],
    leaving: list[Any],
    errors: dict[str, str] | None = None,
) -> None:
    """Let the runtime have these pools."""
    pools = {one.config.model.digest: one for one in serving}
    fleet = SimpleNamespace(pools=pools, leaving_pools=tuple(leaving))
    process = SimpleNamespace(
        serving=SimpleNamespace(fleet=fleet, errors=errors or {}, standing_in=frozenset()),
        state_for=lambda _tenant_id: "ready",
        readiness="ok",
        reason="",
    )
    monkeypatch.setattr("console.goings_on.runtime", lambda: process)
    monkeypatch.setattr("console.alerts.runtime", lambda: process)
    monkeypatch.setattr("console.model_pages.runtime", lambda: process)


def region(person: User, artifact: ModelArtifact) -> str:
    html = browser(person).get("/console/models/live/").text
    return str(html.split(f'data-region="{artifact.pk}"')[1].split("data-region")[0])


def test_a_model_that_goes_finishes_its_answers_and_names_who_has_taken_over(
    change: tuple[ModelArtifact, ModelArtifact], cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = change
    serve(monkeypatch, serving=[pool(new, "ready")], leaving=[pool(old, "ready", running=3)])
    assert "New turns already go to r2. 3 answers are still being finished on r1." in region(cast.admin, old)
    assert "data-busy" in region(cast.admin, old)
    assert "data-busy" not in region(cast.admin, new)


def test_a_model_that_comes_is_being_loaded_while_the_other_answers(
    change: tuple[ModelArtifact, ModelArtifact], cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = change
    serve(monkeypatch, serving=[pool(old, "ready")], leaving=[pool(new, "starting")])
    assert "It is being loaded" in region(cast.officer, new)
    assert "data-busy" not in region(cast.officer, old)


def test_a_first_start_is_waited_for(
    change: tuple[ModelArtifact, ModelArtifact], cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    _old, new = change
    serve(monkeypatch, serving=[pool(new, "starting")], leaving=[])
    assert "New turns wait until it is ready." in region(cast.operator, new)


def test_a_model_that_did_not_load_is_an_alarm(
    change: tuple[ModelArtifact, ModelArtifact], cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = change
    serve(monkeypatch, serving=[pool(old, "ready")], leaving=[], errors={new.sha256: "not enough memory"})
    for path in (reverse("console:models"), reverse("console:model", args=[new.pk])):
        text = browser(cast.officer).get(path).text
        assert "r2 could not be loaded" in text
        assert "not enough memory" in text
