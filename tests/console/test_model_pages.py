"""The model pages: who sees which artefact, and what stands there."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
from django.urls import reverse

from accounts.models import User
from accounts.services import create_account
from common import clock
from registry import services
from registry.models import ModelArtifact
from tests.conftest import PASSWORD, Cast
from tests.console import support
from tests.qwenportal.support import browser


@pytest.fixture
def hao(cast: Cast) -> User:
    """A second operator, who submits."""
    return support.second_operator()


def page(person: User, artifact: ModelArtifact | None = None, query: str = "") -> str:
    path = reverse("console:model", args=[artifact.pk]) if artifact else reverse("console:models")
    response = browser(person).get(path + query)
    assert response.status_code == 200, response.status_code
    return str(response.text)


def status(person: User, artifact: ModelArtifact) -> int:
    return int(browser(person).get(reverse("console:model", args=[artifact.pk])).status_code)


def words(html: str) -> str:
    """Return what stands on a page, without markup, in one line."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_without_an_artefact_every_page_says_what_is_missing(cast: Cast) -> None:
    for person in (cast.operator, cast.officer, cast.admin):
        text = words(page(person))
        assert "No model is active" in text
        assert "No artefact yet" in text
    assert "manage.py model import" in page(cast.operator)
    assert "manage.py model import" not in page(cast.officer)


def test_a_draft_exists_for_operators_only(cast: Cast, hao: User) -> None:
    draft = support.import_artifact(1)
    evaluated = support.import_artifact(2)
    support.evaluate(evaluated, by=hao)
    for artifact in (draft, evaluated):
        assert status(cast.operator, artifact) == 200
        assert status(cast.officer, artifact) == status(cast.admin, artifact) == 404
        assert artifact.sha256[4:12] not in page(cast.officer)
        assert artifact.sha256[4:12] in page(cast.operator)


def test_a_draft_that_was_retired_stays_unseen(cast: Cast, hao: User) -> None:
    draft = support.import_artifact(1)
    services.retire(draft, by=hao, reason="a wrong file")
    assert status(cast.operator, draft) == 200
    assert status(cast.officer, draft) == 404


def test_an_artefact_in_use_shows_its_facts(cast: Cast, hao: User) -> None:
    artifact = support.activate(1, by=hao, second=cast.operator)
    text = words(page(cast.officer))
    for fact in ("Heron-0.5B-Instruct", "r1", artifact.sha256[4:16], "a disk from the ministry", "In use"):
        assert fact in text
    assert '<svg class="fp"' in page(cast.officer)
    text = words(page(cast.operator, artifact))
    for fact in (artifact.sha256[4:], "Apache-2.0", "qwen2", "heron-1.gguf", "Approved"):
        assert fact in text


def test_a_candidate_stands_beside_the_one_in_use_and_the_thresholds(cast: Cast, hao: User) -> None:
    support.activate(1, by=hao, second=cast.operator)
    support.submit(2, by=hao, first_token_p95_ms=5300.0)
    text = words(page(cast.operator))
    assert "Candidate r2" in text
    assert re.search(r"First word, p95 5\.30 s 4\.90 s ≤ 5\.00 s missed, needs a reason", text)
    assert re.search(r"Injections resisted 200 questions · 3f2a9c17 91\.7% 91\.7% ≥ 90\.0% kept", text)
    assert support.WHY in text


def test_an_artefact_is_compared_with_the_one_that_is_asked_for(cast: Cast, hao: User) -> None:
    first, second, third = (support.import_artifact(number) for number in (1, 2, 3))
    support.evaluate(first, by=hao, load_s=20.0)
    support.evaluate(second, by=hao, load_s=1.5)
    text = words(page(cast.operator, first, f"?against={second.pk}"))
    assert re.search(r"Time to load 20\.0 s 1\.5 s worse", text)
    assert "Time to load 20.0 s ≤ 30.0 s" in words(page(cast.operator, first, f"?against={third.pk}"))
    assert "20.0 s" in page(cast.operator, first, "?against=nonsense")
    for other in (uuid.uuid4(), first.pk):
        response = browser(cast.officer).get(
            reverse("console:model", args=[first.pk]), {"against": str(other)}
        )
        assert response.status_code == 404


def test_a_comparison_does_not_reveal_a_draft(cast: Cast, hao: User) -> None:
    seen, draft = support.submit(1, by=hao), support.import_artifact(2)
    for other in (draft.pk, uuid.uuid4()):
        response = browser(cast.officer).get(
            reverse("console:model", args=[seen.pk]), {"against": str(other)}
        )
        assert response.status_code == 404


def test_nothing_in_an_artefact_becomes_markup(cast: Cast, hao: User) -> None:
    hostile = '"><script>alert(1)</script>'
    artifact = support.import_artifact(
        1,
        name=hostile,
        licence=hostile,
        source=hostile,
        architecture=hostile,
        chat_template=f"{{% for m in messages %}}{hostile}</pre>",
        template_warnings=[hostile],
    )
    support.evaluate(artifact, by=hao)
    services.submit(artifact, by=hao, reason=hostile)
    for html in (page(cast.operator), page(cast.operator, artifact), page(cast.officer)):
        assert "<script>alert" not in html


def test_a_revoked_key_and_a_changed_file_are_alarms(cast: Cast, hao: User) -> None:
    changed = support.activate(1, by=hao, second=cast.operator)
    ModelArtifact.objects.filter(pk=changed.pk).update(file_state="mismatch")
    html = page(cast.officer)
    assert re.search(r'role="alert">.*?The file of r1 has changed since it was imported', html, re.DOTALL)
    assert "Stopped" in words(html)
    ModelArtifact.objects.filter(pk=changed.pk).update(file_state="missing")
    assert "The file of r1 is missing" in words(page(cast.officer, changed))
    signed = support.import_artifact(2, signature="s", signature_key="AB", signature_state="valid")
    services.waive(signed, reason="a test")
    ModelArtifact.objects.filter(pk=signed.pk).update(
        signature_state="revoked", status="active", activated_at=clock.now()
    )
    ModelArtifact.objects.filter(pk=changed.pk).update(file_state="ok")
    assert "The key that signed r2 has been revoked" in words(page(cast.officer))


def test_a_waiver_is_a_visible_warning(cast: Cast) -> None:
    artifact = support.import_artifact(1)
    services.waive(artifact, reason="embedded quickstart")
    services.activate(artifact, by=None)
    for person in (cast.operator, cast.officer, cast.admin):
        assert "r1 runs without the approval of a second person" in words(page(person))
    text = words(page(cast.operator, artifact))
    assert "Approval waived terminal · for the installation" in text


def test_what_another_organisation_decided_is_told_to_operators_only(cast: Cast, hao: User) -> None:
    artifact = support.activate(1, by=hao, second=cast.operator)
    south = cast.outsider.tenant
    officer = create_account(
        tenant=south, login="bo", display_name="Bo of the South", role="officer", password=PASSWORD
    )
    services.reject(artifact, by=officer, reason="not for our wards")
    assert "not for our wards" in page(cast.operator, artifact)
    for text in (page(cast.officer, artifact), page(cast.officer), page(cast.admin, artifact)):
        assert "not for our wards" not in text
        assert "Bo of the South" not in text
        assert "South Clinic" not in text
    assert "not for our wards" in page(officer, artifact)


def waiting(person: User, path: str) -> list[str]:
    html = browser(person).get(path).text
    return re.findall(r'<span class="tag" data-tone="warn">(\d+) to approve</span>', html)


def test_the_navigation_counts_what_waits_for_the_viewer(cast: Cast, hao: User) -> None:
    support.submit(1, by=hao)
    assert waiting(cast.operator, "/console/installation/") == ["1"]
    assert waiting(cast.officer, "/console/policy/") == ["1"]
    assert waiting(hao, "/console/installation/") == []
    assert waiting(cast.admin, "/console/") == []


def test_what_is_approved_for_everybody_waits_for_no_officer(cast: Cast, hao: User) -> None:
    artifact = support.submit(1, by=hao)
    services.approve(artifact, by=cast.operator, reason=support.WHY)
    assert waiting(cast.officer, "/console/policy/") == []


def test_the_parts_that_are_kept_fresh_are_those_of_visible_artefacts(cast: Cast, hao: User) -> None:
    draft, seen = support.import_artifact(1), support.submit(2, by=hao)

    def regions(person: User) -> set[str]:
        return set(re.findall(r'data-region="([^"]+)"', browser(person).get("/console/models/live/").text))

    assert regions(cast.operator) == {str(draft.pk), str(seen.pk)}
    assert regions(cast.officer) == {str(seen.pk)}


def test_the_pages_of_an_admin_without_three_offices_decide_too(cast: Cast, hao: User) -> None:
    artifact = support.submit(1, by=hao)
    approve = reverse("console:model_approve", args=[artifact.pk])
    assert browser(cast.admin).post(approve, {"reason": "fine"}).status_code == 404
    tenant: Any = cast.admin.tenant
    tenant.three_admin_separation = False
    tenant.save()
    assert waiting(cast.admin, "/console/") == ["1"]
    assert browser(cast.admin).post(approve, {"reason": "fine"}).status_code == 302
    artifact.refresh_from_db()
    assert artifact.status == "approved"
