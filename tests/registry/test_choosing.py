"""Whose approval counts where, and which of several models an organisation uses."""

from __future__ import annotations

import pytest

from audit.models import AuditEvent
from common.access import PermissionMissing
from registry.errors import (
    NotApprovedHere,
    NothingBefore,
    ReasonNeeded,
)
from registry.services import (
    Activation,
    activate,
    active_artifact,
    active_artifacts,
    approve,
    choose_for_tenant,
    model_of,
    models_for,
    reject,
    retire,
    rollback,
    timeline,
)
from tests.registry.life import Make, People, state, tenant_of


# --- whose approval counts where ------------------------------------------------------------------------------------
def test_an_officers_approval_counts_for_the_own_organisation_only(make: Make, people: People) -> None:
    north, south = tenant_of(people.cast.member), tenant_of(people.cast.outsider)
    model = make("active", by=people.cast.officer)
    assert (models_for(north.id), models_for(south.id)) == ([model], [])
    assert (model_of(north.id), model_of(south.id)) == (model, None)
    assert active_artifacts() == [model]
    approve(model, by=people.south_officer)
    assert model_of(south.id) == model


def test_an_operators_approval_counts_everywhere_but_where_the_officer_rejects(
    make: Make, people: People
) -> None:
    north, south = tenant_of(people.cast.member), tenant_of(people.cast.outsider)
    model = make("active")
    assert model_of(north.id) == model_of(south.id) == model
    reject(model, by=people.south_officer, reason="not here")
    assert (model_of(north.id), model_of(south.id)) == (model, None)
    assert state(model) == "active"
    approve(model, by=people.south_officer, reason="after all")
    assert model_of(south.id) == model


def test_what_only_an_organisation_approved_takes_nothing_from_the_others(make: Make, people: People) -> None:
    north, south = tenant_of(people.cast.member), tenant_of(people.cast.outsider)
    general = make("active")
    own = make("active", by=people.cast.officer)
    assert state(general) == "active"
    assert (model_of(north.id), model_of(south.id)) == (own, general)


def test_what_replaces_the_general_model_takes_no_organisations_own_out_of_use(
    make: Make, people: People
) -> None:
    own, general = make("active", by=people.cast.officer), make("active")
    newer = make("active")
    assert [state(row) for row in (own, general, newer)] == ["active", "approved", "active"]
    assert own in models_for(tenant_of(people.cast.member).id)


def test_the_acts_of_an_officer_stand_in_the_own_organisations_log(make: Make, people: People) -> None:
    make("approved", by=people.cast.officer)
    event = AuditEvent.objects.get(action="model.approve")
    assert event.tenant_id == tenant_of(people.cast.member).id


def test_another_organisations_decisions_are_not_in_the_timeline(make: Make, people: People) -> None:
    model = make("active")
    reject(model, by=people.south_officer, reason="not here")
    north, south = tenant_of(people.cast.member).id, tenant_of(people.cast.outsider).id
    assert "reject" not in [row.kind for row in timeline(tenant_id=north)]
    assert timeline(tenant_id=south)[0].reason == "not here"
    assert timeline(limit=1)[0].tenant_id == south


# --- several models -------------------------------------------------------------------------------------------------
def test_an_organisation_uses_what_it_chose_while_it_may(make: Make, people: People) -> None:
    north = tenant_of(people.cast.member)
    first, second = make("active"), make("approved")
    activate(second, by=people.cast.operator, activation=Activation.BESIDE)
    assert models_for(north.id) == [second, first]
    assert model_of(north.id) == second
    choose_for_tenant(north, first, by=people.cast.admin)
    assert model_of(north.id) == first
    assert model_of(tenant_of(people.cast.outsider).id) == second
    choose_for_tenant(north, None, by=people.cast.admin)
    assert model_of(north.id) == second
    choose_for_tenant(north, first, by=people.cast.admin)
    retire(first, by=people.cast.operator, reason="old")
    assert model_of(north.id) == second


def test_only_the_own_admin_chooses_and_only_what_is_approved(make: Make, people: People) -> None:
    north, south = tenant_of(people.cast.member), tenant_of(people.cast.outsider)
    model = make("active")
    for person in (people.cast.officer, people.cast.operator, people.cast.member):
        with pytest.raises(PermissionMissing):
            choose_for_tenant(north, model, by=person)
    with pytest.raises(PermissionMissing):
        choose_for_tenant(south, model, by=people.cast.admin)
    for status in ("approved", "imported", "retired"):
        with pytest.raises(NotApprovedHere):
            choose_for_tenant(north, make(status), by=people.cast.admin)


def test_activating_replaces_and_rolling_back_restores(make: Make, people: People) -> None:
    first, second = make("active"), make("active")
    assert (state(first), active_artifact()) == ("approved", second)
    with pytest.raises(ReasonNeeded):
        rollback(by=people.cast.operator, reason="")
    assert rollback(by=people.cast.operator, reason="too slow") == first
    assert (state(second), active_artifacts()) == ("approved", [first])
    row = timeline(limit=1)[0]
    assert (row.kind, row.artifact, row.other, row.reason) == ("rollback", first, second, "too slow")
    with pytest.raises(NothingBefore):
        rollback(by=people.cast.operator, reason="further")


def test_what_answers_everybody_is_not_rolled_back_to_what_one_organisation_approved(
    make: Make, people: People
) -> None:
    first, own, second = make("active"), make("active", by=people.cast.officer), make("active")
    assert (state(first), state(own)) == ("approved", "active")
    assert rollback(by=people.cast.operator, reason="slow") == first
    assert model_of(tenant_of(people.cast.outsider).id) == first
    assert state(second) == "approved"


def test_an_organisations_own_model_is_rolled_back_to_what_there_was(make: Make, people: People) -> None:
    first, own = make("active"), make("active", by=people.cast.officer)
    assert rollback(by=people.cast.operator, reason="slow") == first
    assert (state(own), model_of(tenant_of(people.cast.member).id)) == ("approved", first)


def test_a_retired_model_is_not_rolled_back_to(make: Make, people: People) -> None:
    first, second, third = make("active"), make("active"), make("active")
    retire(second, by=people.cast.operator, reason="bad")
    assert rollback(by=people.cast.operator, reason="slow") == first
    assert state(third) == "approved"
