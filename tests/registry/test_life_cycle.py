"""No model runs that two people did not approve, and nothing about it changes after."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import DatabaseError, connection, transaction
from pytest_django import Settings

from audit.models import AuditEvent
from common.access import PermissionMissing
from common.errors import PortalError
from registry.errors import (
    AlreadyDecided,
    ArtifactFixed,
    ModelError,
    NothingBefore,
    PersonNeeded,
    ReasonNeeded,
    SecondPersonNeeded,
    SignatureNeeded,
    WaiverRefused,
    WrongStatus,
)
from registry.guards import FIXED, STEPS, missing_guards
from registry.models import TRANSITIONS, ModelApproval, ModelArtifact, ModelEvent, Status
from registry.services import (
    activate,
    active_artifacts,
    approve,
    import_file,
    mark_evaluated,
    model_of,
    models_for,
    reject,
    retire,
    rollback,
    submit,
    timeline,
    verify_artifact,
    waive,
)
from tests.registry.life import Make, People, production, state, tenant_of

# --- the steps ------------------------------------------------------------------------------------------------------
ACTS: dict[str, tuple[Callable[[ModelArtifact, People], object], dict[str, str]]] = {
    "evaluate": (
        lambda model, people: mark_evaluated(model, thresholds_missed=0, by=people.cast.operator),
        {
            "imported": "evaluated",
            "evaluated": "evaluated",
            "rejected": "evaluated",
            "submitted": "submitted",
            "approved": "approved",
            "active": "active",
        },
    ),
    "submit": (lambda model, people: submit(model, by=people.cast.operator), {"evaluated": "submitted"}),
    "approve": (
        lambda model, people: approve(model, by=people.cast.officer),
        {"submitted": "approved", "approved": "approved", "active": "active"},
    ),
    "reject": (
        lambda model, people: reject(model, by=people.second, reason="no"),
        {"submitted": "rejected"},
    ),
    "waive": (
        lambda model, _people: waive(model, reason="a test"),
        {"imported": "approved", "evaluated": "approved", "submitted": "approved"},
    ),
    "activate": (
        lambda model, people: activate(model, by=people.cast.operator),
        {"approved": "active", "active": "active"},
    ),
    "retire": (
        lambda model, people: retire(model, by=people.cast.operator, reason="old"),
        dict.fromkeys(("imported", "evaluated", "submitted", "approved", "active", "rejected"), "retired"),
    ),
}


@pytest.mark.parametrize("status", Status.values)
def test_each_act_leads_where_it_should_from_each_status_or_is_refused(
    status: str, make: Make, people: People
) -> None:
    for name, (do, leads) in ACTS.items():
        model = make(status)
        if status in leads:
            do(model, people)
            assert state(model) == leads[status], name
        else:
            refused = AuditEvent.objects.filter(action=f"model.{name}", outcome="refused").count()
            with pytest.raises(WrongStatus):
                do(model, people)
            assert state(model) == status, name
            assert AuditEvent.objects.filter(action=f"model.{name}", outcome="refused").count() == refused + 1


def test_the_whole_life_stands_in_the_timeline_and_the_audit_log(make: Make, people: People) -> None:
    model = make("active", missed=1)
    retire(model, by=people.second, reason="replaced")
    rows = list(reversed(timeline(artifact=model)))
    kinds = ["import", "evaluate", "submit", "approve", "activate", "retire"]
    assert [row.kind for row in rows] == kinds
    one, two = people.cast.operator.id, people.second.id
    assert [row.account_id for row in rows] == [one, one, one, two, one, two]
    assert [row.reason for row in rows] == ["", "", "good enough", "good enough", "", "replaced"]
    events = AuditEvent.objects.filter(model_digest=model.sha256, outcome="ok").order_by("seq")
    assert [event.action for event in events] == [f"model.{kind}" for kind in kinds]


def test_the_submitter_cannot_approve_and_cannot_reject(make: Make, people: People) -> None:
    model = make("submitted")
    for do in (approve, reject):
        with pytest.raises(SecondPersonNeeded):
            do(model, by=people.cast.operator, reason="mine")
    assert state(model) == "submitted"
    assert not model.approvals.exists()
    refused = AuditEvent.objects.filter(outcome="refused", status=403).values_list("action", flat=True)
    assert set(refused) == {"model.approve", "model.reject"}


@pytest.mark.parametrize(
    ("status", "step"),
    [
        ("imported", "evaluation"),
        ("evaluated", "submit"),
        ("submitted", "second person"),
        ("rejected", "evaluate it again"),
        ("retired", "retired for good"),
    ],
)
def test_a_refusal_names_the_next_step(status: str, step: str, make: Make, people: People) -> None:
    with pytest.raises(WrongStatus, match=step):
        activate(make(status), by=people.cast.operator)


def test_only_those_with_the_permission_act(make: Make, people: People) -> None:
    for who in ("member", "admin", "auditor"):
        with pytest.raises(PermissionMissing):
            approve(make("submitted"), by=people.cast.everybody()[who])
    for who in ("member", "admin", "officer", "auditor"):
        person = people.cast.everybody()[who]
        with pytest.raises(PermissionMissing):
            submit(make("evaluated"), by=person)
        with pytest.raises(PermissionMissing):
            activate(make("approved"), by=person)
        with pytest.raises(PermissionMissing):
            retire(make("active"), by=person, reason="x")
        with pytest.raises(PermissionMissing):
            rollback(by=person, reason="x")


def test_missed_thresholds_need_a_reason_at_submission_and_at_approval(make: Make, people: People) -> None:
    model = make("evaluated", missed=2)
    with pytest.raises(ReasonNeeded):
        submit(model, by=people.cast.operator, reason="  ")
    submit(model, by=people.cast.operator, reason="slow but safe")
    with pytest.raises(ReasonNeeded):
        approve(model, by=people.second)
    approve(model, by=people.second, reason="agreed")
    assert model.approvals.get().reason == "agreed"
    for do in (reject, retire):
        with pytest.raises(ReasonNeeded):
            do(make("submitted"), by=people.second, reason=" ")


def test_nobody_approves_twice_for_the_same_side(make: Make, people: People) -> None:
    model = make("approved")
    with pytest.raises(AlreadyDecided):
        approve(model, by=people.second)


# --- files ----------------------------------------------------------------------------------------------------------
def damage(artifact: ModelArtifact) -> None:
    artifact.path.chmod(0o644)
    with artifact.path.open("r+b") as file:
        file.seek(-3, os.SEEK_END)
        file.write(b"X")


def test_a_changed_file_is_not_activated_and_stops_what_is_in_use(make: Make, people: People) -> None:
    approved, active = make("approved"), make("active")
    for model in (approved, active):
        damage(model)
    with pytest.raises(ModelError, match="changed"):
        activate(approved, by=people.cast.operator)
    assert state(approved) == "approved"
    assert active_artifacts() == [active]
    with pytest.raises(ModelError, match="changed"):
        verify_artifact(active)
    assert active_artifacts() == []
    assert model_of(tenant_of(people.cast.member).id) is None
    assert timeline(limit=1)[0].kind == "mismatch"


def test_nothing_about_an_artefact_changes(make: Make) -> None:
    model = make("approved")
    for change in ({"name": "other"}, {"sha256": "0" * 64}, {"source": "x"}):
        with pytest.raises(ArtifactFixed):
            ModelArtifact.objects.filter(pk=model.pk).update(**change)
    for save in (model.save, lambda: model.save(update_fields=["name"]), model.delete):
        with pytest.raises(ArtifactFixed):
            save()
    with pytest.raises(ArtifactFixed):
        ModelArtifact.objects.all().delete()
    with pytest.raises(ArtifactFixed):
        ModelApproval.objects.update(decision="reject")
    with pytest.raises(ArtifactFixed):
        ModelEvent.objects.all().delete()


# --- the database itself --------------------------------------------------------------------------------------------
def is_allowed(statement: str) -> bool:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
            assert cursor.rowcount != 0, statement
    except DatabaseError:
        return False
    return True


def test_the_guards_know_the_steps_and_the_fields_of_the_program() -> None:
    assert {f"{one}>{other}" for one, others in TRANSITIONS.items() for other in others} == set(STEPS)
    fields = {field.column for field in ModelArtifact._meta.concrete_fields}
    assert set(FIXED) == fields - ModelArtifact.CHANGING


def test_the_database_refuses_what_the_program_refuses(make: Make, people: People) -> None:
    assert missing_guards(connection) == []
    model = make("submitted")
    make("active")
    table = "UPDATE registry_modelartifact SET"
    assert is_allowed(f"{table} checked_at = checked_at")
    for statement in (
        f"{table} sha256 = 'x'",
        f"{table} chat_template = 'x'",
        f"{table} imported_by = NULL",
        f"{table} status = 'active' WHERE status = 'submitted'",
        f"{table} status = 'approved' WHERE status = 'submitted'",
        f"{table} status = 'submitted' WHERE status = 'active'",
        f"{table} status = 'imported'",
        f"{table} submitted_by = NULL WHERE status = 'submitted'",
        f"{table} submitted_by = id WHERE status = 'active'",
        f"{table} submitted_at = imported_at WHERE status = 'active'",
        f"{table} signature_state = 'valid' WHERE status = 'submitted'",
        f"{table} signature_state = 'revoked' WHERE status = 'active'",
        f"{table} thresholds_missed = 7 WHERE status = 'active'",
        f"{table} thresholds_missed = 7 WHERE status = 'submitted'",
        "DELETE FROM registry_modelartifact WHERE status = 'submitted'",
        "UPDATE registry_modelapproval SET decision = 'reject'",
        "DELETE FROM registry_modelapproval",
        "UPDATE registry_modelevent SET reason = 'x'",
        "DELETE FROM registry_modelevent",
    ):
        assert not is_allowed(statement), statement
    with pytest.raises(DatabaseError, match="submitter"), transaction.atomic():
        ModelApproval(artifact=model, account_id=people.cast.operator.id, decision="approve").save()


# --- production -----------------------------------------------------------------------------------------------------
def test_a_waiver_is_impossible_in_production_and_counts_for_nothing_there(
    make: Make, people: People, settings: Settings
) -> None:
    waived, fresh = make("imported"), make("imported")
    waive(waived, reason="embedded quickstart")
    activate(waived, by=None)
    assert active_artifacts() == [waived]
    production(settings)
    with pytest.raises(WaiverRefused):
        waive(fresh, reason="please")
    assert active_artifacts() == models_for(tenant_of(people.cast.member).id) == []
    with pytest.raises(WaiverRefused):
        activate(waived, by=people.cast.operator)


def test_in_production_nothing_is_rolled_back_to_what_was_only_waived(
    make: Make, people: People, settings: Settings
) -> None:
    waived = make("imported")
    waive(waived, reason="embedded quickstart")
    activate(waived, by=None)
    model = make("active")
    production(settings)
    with pytest.raises(NothingBefore):
        rollback(by=people.cast.operator, reason="slow")
    assert active_artifacts() == [model]


def test_what_was_waived_can_be_approved_in_due_form(make: Make, people: People) -> None:
    model = make("imported")
    waive(model, reason="embedded quickstart")
    activate(model, by=None)
    with pytest.raises(WrongStatus):
        submit(model, by=people.cast.operator)
    mark_evaluated(model, thresholds_missed=1, by=people.cast.operator)
    assert (model.status, model.thresholds_missed) == ("active", 1)
    submit(model, by=people.cast.operator, reason="slow")
    assert active_artifacts() == []
    approve(model, by=people.second, reason="agreed")
    activate(model, by=people.cast.operator)
    assert active_artifacts() == [model]
    with pytest.raises(WrongStatus):
        submit(model, by=people.cast.operator, reason="again")


def test_in_production_every_act_has_a_person(
    make: Make, people: People, settings: Settings, model_file: Path
) -> None:
    model = make("approved")
    production(settings)
    for do in (
        lambda: import_file(model_file, source="x"),
        lambda: activate(model, by=None),
        lambda: retire(model, by=None, reason="x"),
        lambda: rollback(by=None, reason="x"),
    ):
        with pytest.raises(PersonNeeded):
            do()


def test_in_production_nothing_is_submitted_that_nobody_vouches_for(
    make: Make, people: People, settings: Settings
) -> None:
    model = make("evaluated")
    production(settings)
    with pytest.raises(SignatureNeeded):
        submit(model, by=people.cast.operator)
    settings.PORTAL = dataclasses.replace(settings.PORTAL, model_signatures="optional")
    submit(model, by=people.cast.operator)


def test_every_refusal_has_a_code_and_a_text() -> None:
    for error in (SecondPersonNeeded, WrongStatus, ReasonNeeded, SignatureNeeded, WaiverRefused):
        assert issubclass(error, PortalError)
        assert error.code != PortalError.code
        assert 400 <= error.http_status < 500
        assert str(error()) == error.message
