"""What people do on the model pages: who may, who may not, and what is asked before."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.services import create_account
from audit.models import AuditEvent
from registry import services
from registry.errors import WrongStatus
from registry.models import ModelArtifact
from tests.conftest import PASSWORD, Cast
from tests.console import support
from tests.qwenportal.support import browser


@pytest.fixture
def hao(cast: Cast) -> User:
    """A second operator, who submits."""
    return support.second_operator()


def do(person: User, act: str, about: ModelArtifact | None = None, **form: str) -> Any:
    path = reverse(f"console:model_{act}", args=[about.pk] if about else [])
    return browser(person).post(path, form)


def status(artifact: ModelArtifact) -> str:
    artifact.refresh_from_db()
    return artifact.status


def told(person: User, act: str, artifact: ModelArtifact, **form: str) -> str:
    """Return the page that the person comes to after an act."""
    client = browser(person)
    response = client.post(reverse(f"console:model_{act}", args=[artifact.pk]), form, follow=True)
    return str(response.text)


def test_a_second_operator_approves_and_the_submitter_cannot(cast: Cast, hao: User) -> None:
    artifact = support.submit(1, by=hao)
    assert "Whoever submitted a model cannot decide on it" in told(hao, "approve", artifact)
    assert status(artifact) == "submitted"
    assert "Approved and signed" in told(cast.operator, "approve", artifact)
    assert status(artifact) == "approved"


def test_the_submitter_is_shown_no_button_to_approve(cast: Cast, hao: User) -> None:
    artifact = support.submit(1, by=hao)
    path = reverse("console:model", args=[artifact.pk])
    approve = reverse("console:model_approve", args=[artifact.pk])
    assert approve not in browser(hao).get(path).text
    assert approve not in browser(cast.admin).get(path).text
    assert approve in browser(cast.operator).get(path).text
    assert approve in browser(cast.officer).get(path).text


def test_an_officer_decides_for_the_own_organisation(cast: Cast, hao: User) -> None:
    artifact = support.submit(1, by=hao)
    assert do(cast.officer, "approve", artifact).status_code == 302
    assert [row.tenant_id for row in artifact.approvals.all()] == [cast.officer.tenant_id]
    assert services.is_approved_for(artifact, tenant_id=cast.officer.tenant_id)
    assert not services.is_approved_for(artifact, tenant_id=cast.outsider.tenant_id)


def test_missed_thresholds_need_a_reason_and_the_page_asks_for_it(cast: Cast, hao: User) -> None:
    artifact = support.submit(1, by=hao, first_token_p95_ms=5300.0)
    response = do(cast.operator, "approve", artifact, reason="  ")
    assert response.status_code == 400
    assert "Please give a reason in writing." in response.text
    assert 'aria-invalid="true"' in response.text
    assert status(artifact) == "submitted"
    assert do(cast.operator, "approve", artifact, reason="only under full load").status_code == 302
    assert artifact.approvals.get().reason == "only under full load"


def test_rejecting_needs_a_reason(cast: Cast, hao: User) -> None:
    artifact = support.submit(1, by=hao)
    assert do(cast.operator, "reject", artifact).status_code == 400
    assert status(artifact) == "submitted"
    assert do(cast.operator, "reject", artifact, reason="it invents laws").status_code == 302
    assert status(artifact) == "rejected"


def test_submitting_what_missed_a_threshold_needs_a_reason_too(cast: Cast, hao: User) -> None:
    artifact = support.import_artifact(1)
    support.evaluate(artifact, by=hao, injection_rate=70.0)
    response = do(hao, "submit", artifact)
    assert response.status_code == 400
    assert 'id="submit_error"' in response.text
    assert do(hao, "submit", artifact, reason="no tools are connected").status_code == 302
    assert status(artifact) == "submitted"


def test_what_was_not_evaluated_cannot_be_submitted(cast: Cast, hao: User) -> None:
    artifact = support.import_artifact(1)
    assert "The next step is its evaluation." in told(hao, "submit", artifact)
    assert status(artifact) == "imported"


def test_an_operator_activates_in_place_of_or_beside_the_one_in_use(cast: Cast, hao: User) -> None:
    first = support.activate(1, by=hao, second=cast.operator)
    second, third = (support.submit(number, by=hao) for number in (2, 3))
    for artifact in (second, third):
        services.approve(artifact, by=cast.operator, reason=support.WHY)
    assert do(cast.operator, "activate", second, activation="beside").status_code == 302
    assert (status(first), status(second)) == ("active", "active")
    assert do(cast.operator, "activate", third, activation="replace").status_code == 302
    assert (status(first), status(second), status(third)) == ("approved", "approved", "active")
    assert do(cast.operator, "activate", first, activation="twice").status_code == 400


def test_a_changed_file_is_not_activated(cast: Cast, hao: User) -> None:
    artifact = support.submit(1, by=hao)
    services.approve(artifact, by=cast.operator)
    artifact.path.write_bytes(b"something else")
    assert "has been changed" in told(cast.operator, "activate", artifact)
    assert status(artifact) == "approved"


def test_rolling_back_asks_for_a_reason_and_the_word(cast: Cast, hao: User) -> None:
    first, second = (support.activate(number, by=hao, second=cast.operator) for number in (1, 2))
    target = str(first.pk)
    asked = browser(cast.operator).get(reverse("console:model_rollback"))
    assert "Roll back to r1?" in asked.text
    for form in ({"reason": "slow"}, {"confirm": "roll back"}, {"reason": "slow", "confirm": "yes"}):
        assert do(cast.operator, "rollback", None, target=target, **form).status_code == 400
    assert (status(first), status(second)) == ("approved", "active")
    done = do(cast.operator, "rollback", None, target=target, reason="slow", confirm=" Roll back ")
    assert done.status_code == 302
    assert (status(first), status(second)) == ("active", "approved")


def test_a_roll_back_to_another_artefact_than_the_page_named_asks_again(cast: Cast, hao: User) -> None:
    first, second = (support.activate(number, by=hao, second=cast.operator) for number in (1, 2))
    form = {"reason": "slow", "confirm": "roll back", "target": str(second.pk)}
    assert do(cast.operator, "rollback", None, **form).status_code == 400
    assert (status(first), status(second)) == ("approved", "active")


def test_without_an_earlier_artefact_there_is_no_page_to_roll_back(cast: Cast, hao: User) -> None:
    support.activate(1, by=hao, second=cast.operator)
    assert browser(cast.operator).get(reverse("console:model_rollback")).status_code == 404


def test_retiring_asks_for_a_reason_and_the_word(cast: Cast, hao: User) -> None:
    artifact = support.activate(1, by=hao, second=cast.operator)
    path = reverse("console:model_retire", args=[artifact.pk])
    assert "It is in use" in browser(hao).get(path).text
    assert do(hao, "retire", artifact, reason="old", confirm="delete").status_code == 400
    assert do(hao, "retire", artifact, reason="", confirm="retire").status_code == 400
    assert status(artifact) == "active"
    assert do(hao, "retire", artifact, reason="old", confirm="retire").status_code == 302
    assert status(artifact) == "retired"
    assert browser(hao).get(path).status_code == 404


def test_an_admin_chooses_among_what_is_active_and_approved_for_the_organisation(
    cast: Cast, hao: User
) -> None:
    first = support.activate(1, by=hao, second=cast.operator)
    second = support.activate(2, by=hao, second=cast.operator, activation=services.Activation.BESIDE)
    waiting = support.submit(3, by=hao)
    tenant = cast.admin.tenant_id
    assert tenant is not None
    assert services.model_of(tenant) == second
    assert do(cast.admin, "choose", artifact=str(first.pk)).status_code == 302
    assert services.model_of(tenant) == first
    outside = cast.outsider.tenant_id
    assert outside is not None
    assert services.model_of(outside) == second
    assert do(cast.admin, "choose", artifact=str(waiting.pk)).status_code == 302
    assert services.model_of(tenant) == first
    assert do(cast.admin, "choose", artifact="").status_code == 302
    assert services.model_of(tenant) == second
    assert do(cast.admin, "choose", artifact="nonsense").status_code == 400


def test_an_organisation_can_keep_a_model_out_and_then_not_choose_it(cast: Cast, hao: User) -> None:
    first = support.activate(1, by=hao, second=cast.operator)
    support.activate(2, by=hao, second=cast.operator, activation=services.Activation.BESIDE)
    assert do(cast.officer, "reject", first, reason="not for us").status_code == 302
    page = browser(cast.admin).get(reverse("console:models")).text
    assert f'<option value="{first.pk}"' not in page
    do(cast.admin, "choose", artifact=str(first.pk))
    assert services.chosen_artifact_id(cast.admin.tenant_id) is None  # type: ignore[arg-type]


FORMS = [
    ("evaluate", {}), ("stop", {}), ("submit", {"reason": "x"}), ("activate", {}), ("approve", {"reason": "x"}),
    ("reject", {"reason": "x"}), ("retire", {"reason": "x", "confirm": "retire"}),
]  # fmt: skip


@pytest.mark.parametrize(("act", "form"), FORMS)
def test_a_form_without_its_token_does_nothing(act: str, form: dict[str, str], cast: Cast, hao: User) -> None:
    artifact = support.submit(1, by=hao)
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.operator)
    response = client.post(reverse(f"console:model_{act}", args=[artifact.pk]), form)
    assert response.status_code == 403
    assert status(artifact) == "submitted"


@pytest.mark.parametrize(("act", "form"), FORMS)
def test_the_officer_of_another_organisation_and_the_admin_do_not_do_what_operators_do(
    act: str, form: dict[str, str], cast: Cast, hao: User
) -> None:
    artifact = support.submit(1, by=hao)
    people = [cast.admin] if act in {"approve", "reject"} else [cast.admin, cast.officer]
    for person in (*people, cast.member, cast.auditor, cast.outsider):
        assert do(person, act, artifact, **form).status_code == 404
    assert status(artifact) == "submitted"


def test_a_refused_approval_stands_in_the_log(cast: Cast, hao: User) -> None:
    artifact = support.submit(1, by=hao)
    do(hao, "approve", artifact)
    event = AuditEvent.objects.filter(action="model.approve").get()
    assert (event.outcome, event.status, event.model_digest) == ("refused", 403, artifact.sha256)


def test_nobody_approves_alone_what_nobody_has_submitted(cast: Cast) -> None:
    """A waiver has no submitter: one person approving it would be the only one."""
    artifact = support.import_artifact(1)
    services.waive(artifact, reason="embedded quickstart")
    services.activate(artifact, by=None)
    officer = create_account(
        tenant=cast.officer.tenant, login="li", display_name="Li", role="officer", password=PASSWORD
    )
    for person in (cast.operator, officer):
        with pytest.raises(WrongStatus):
            services.approve(artifact, by=person, reason="looks good")
        assert "Evaluate it and submit it first." in told(person, "approve", artifact, reason="looks good")
