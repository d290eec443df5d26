"""Who sets a parameter says why; what compliance rests on needs a second person; everything is in the audit log."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, transaction

from accounts import parameters
from accounts.administration import change_role, set_separation
from accounts.errors import ChangeOvertaken, OwnProposal, ProposalClosed, ReasonMissing, ValueImpossible
from accounts.models import User
from accounts.parameters import Wanted
from accounts.services import create_account
from audit.models import AuditEvent
from audit.services import record_event
from common.access import PermissionMissing
from common.errors import NotFound
from tenants.models import ChangeState, ParameterChange, Tenant, TenantParameterChange
from tenants.scope import tenant_scope
from tenants.values import tenant_values
from tests.conftest import PASSWORD, Cast


def north(cast: Cast) -> Tenant:
    assert cast.admin.tenant is not None
    return cast.admin.tenant


def want(cast: Cast, code: str, text: str, *, by: User | None = None, base: int = 0) -> ParameterChange:
    made = parameters.set_parameters(
        {code: Wanted(text, base)}, reason="as agreed", by=by or cast.admin, tenant=north(cast)
    )
    return made[0]


def value(cast: Cast, code: str) -> str:
    return tenant_values(north(cast).pk).text(code)


def last_event(tenant_id: UUID) -> AuditEvent:
    event = AuditEvent.objects.filter(tenant_id=tenant_id).order_by("-seq").first()
    assert event is not None
    return event


def test_a_change_holds_at_once_and_the_log_says_what_was_and_is(cast: Cast) -> None:
    want(cast, "rate_per_minute", "6")
    assert value(cast, "rate_per_minute") == "6"
    event = last_event(north(cast).pk)
    assert (event.action, event.object_id) == ("parameter.set", "rate_per_minute:1000-6")


def test_one_organisations_values_are_not_anothers(cast: Cast) -> None:
    want(cast, "rate_per_minute", "6")
    assert cast.outsider.tenant_id is not None
    assert tenant_values(cast.outsider.tenant_id).text("rate_per_minute") == "1000"


@pytest.mark.parametrize(
    "text", ["0", "1001", "-1", "5.0", "1e3", "٣", "１", "1_0", "", " ", "9" * 40, "0x5", "５"]
)
def test_what_is_no_number_within_the_bounds_is_refused(cast: Cast, text: str) -> None:
    with pytest.raises(ValueImpossible) as refused:
        want(cast, "rate_per_minute", text)
    assert "1,000" in refused.value.faults["rate_per_minute"]
    assert value(cast, "rate_per_minute") == "1000"


def test_all_of_a_form_holds_or_nothing(cast: Cast) -> None:
    wanted = {"rate_per_minute": Wanted("6", 0), "running_per_person": Wanted("99", 0)}
    with pytest.raises(ValueImpossible):
        parameters.set_parameters(wanted, reason="as agreed", by=cast.admin, tenant=north(cast))
    assert value(cast, "rate_per_minute") == "1000"


@pytest.mark.parametrize("reason", ["", "  ", "x" * 401])
def test_a_change_without_a_reason_is_refused(cast: Cast, reason: str) -> None:
    with pytest.raises(ReasonMissing):
        parameters.set_parameters(
            {"rate_per_minute": Wanted("6", 0)}, reason=reason, by=cast.admin, tenant=north(cast)
        )


def test_a_page_that_shows_an_old_value_changes_nothing(cast: Cast) -> None:
    want(cast, "rate_per_minute", "6")
    with pytest.raises(ChangeOvertaken):
        want(cast, "rate_per_minute", "7", base=0)
    want(cast, "rate_per_minute", "7", base=1)
    assert value(cast, "rate_per_minute") == "7"


def test_what_compliance_rests_on_waits_for_the_officer(cast: Cast) -> None:
    change = want(cast, "ip_logging", "none")
    assert change.state == ChangeState.PROPOSED
    assert value(cast, "ip_logging") == "masked"
    parameters.approve(change.pk, by=cast.officer, tenant=north(cast))
    assert value(cast, "ip_logging") == "none"
    assert last_event(north(cast).pk).object_id == "ip_logging:masked-none"


def test_a_second_administrator_cannot_stand_in_for_the_officer(cast: Cast) -> None:
    second = create_account(
        tenant=north(cast), login="bo", display_name="Bo", role="admin", password=PASSWORD
    )
    change = want(cast, "ip_logging", "none")
    with pytest.raises(PermissionMissing):
        parameters.approve(change.pk, by=second, tenant=north(cast))


def test_without_separation_another_administrator_approves_but_never_the_proposer(cast: Cast) -> None:
    second = create_account(
        tenant=north(cast), login="bo", display_name="Bo", role="admin", password=PASSWORD
    )
    set_separation(north(cast), is_on=False, by=cast.operator)
    change = want(cast, "ip_logging", "none")
    with pytest.raises(OwnProposal):
        parameters.approve(change.pk, by=cast.admin, tenant=north(cast))
    with pytest.raises(OwnProposal):
        parameters.reject(change.pk, by=cast.admin, tenant=north(cast), note="no")
    event = last_event(north(cast).pk)
    assert (event.action, event.outcome, event.status) == ("parameter.reject", "refused", 403)
    parameters.approve(change.pk, by=second, tenant=north(cast))
    assert value(cast, "ip_logging") == "none"


def test_the_database_itself_refuses_what_its_proposer_approved(cast: Cast) -> None:
    change = want(cast, "ip_logging", "none")
    with tenant_scope(north(cast).pk), pytest.raises(IntegrityError), transaction.atomic():
        TenantParameterChange.objects.filter(pk=change.pk).update(
            state=ChangeState.APPLIED, number=1, decided_by=cast.admin.pk
        )


def test_a_rejected_proposal_is_closed_and_says_why(cast: Cast) -> None:
    change = want(cast, "ip_logging", "none")
    with pytest.raises(ReasonMissing):
        parameters.reject(change.pk, by=cast.officer, tenant=north(cast), note=" ")
    parameters.reject(change.pk, by=cast.officer, tenant=north(cast), note="we need them")
    with pytest.raises(ProposalClosed):
        parameters.approve(change.pk, by=cast.officer, tenant=north(cast))
    with tenant_scope(north(cast).pk):
        assert TenantParameterChange.objects.get(pk=change.pk).note == "we need them"
    assert value(cast, "ip_logging") == "masked"


def test_only_one_proposal_waits_for_each_parameter(cast: Cast) -> None:
    want(cast, "consent_days", "30")
    with pytest.raises(ChangeOvertaken):
        want(cast, "consent_days", "60")


def test_a_proposal_whose_value_has_changed_since_is_overtaken(cast: Cast) -> None:
    change = want(cast, "consent_days", "30")
    with tenant_scope(north(cast).pk):
        TenantParameterChange(
            tenant=north(cast), code="consent_days", old="0", new="7", reason="x", needs_second=True, base=0,
            number=1, state=ChangeState.APPLIED, proposed_by=uuid4(), decided_by=uuid4(),
        ).save()  # fmt: skip
    with pytest.raises(ChangeOvertaken):
        parameters.approve(change.pk, by=cast.officer, tenant=north(cast))
    with pytest.raises(ProposalClosed):
        parameters.approve(change.pk, by=cast.officer, tenant=north(cast))
    assert value(cast, "consent_days") == "7"


def test_the_proposer_takes_back_and_nobody_else(cast: Cast) -> None:
    change = want(cast, "ip_logging", "none")
    with pytest.raises(PermissionMissing):
        parameters.withdraw(change.pk, by=cast.officer, tenant=north(cast))
    parameters.withdraw(change.pk, by=cast.admin, tenant=north(cast))
    with pytest.raises(ProposalClosed):
        parameters.approve(change.pk, by=cast.officer, tenant=north(cast))


@pytest.mark.parametrize("name", ["member", "officer", "auditor", "operator", "outsider", "outside_auditor"])
def test_nobody_but_the_organisations_administrators_sets_its_parameters(cast: Cast, name: str) -> None:
    with pytest.raises(PermissionMissing):
        want(cast, "rate_per_minute", "6", by=cast.everybody()[name])


@pytest.mark.parametrize("code", ["quota_running", "no_such_parameter", "deletion_days"])
def test_an_administrator_does_not_set_what_operators_keep(cast: Cast, code: str) -> None:
    with pytest.raises(PermissionMissing):
        want(cast, code, "6")


def test_another_organisations_officer_finds_no_such_proposal(cast: Cast) -> None:
    change = want(cast, "ip_logging", "none")
    south = cast.outsider.tenant
    assert south is not None
    stranger = create_account(tenant=south, login="jun", display_name="J", role="officer", password=PASSWORD)
    with pytest.raises(NotFound):
        parameters.approve(change.pk, by=stranger, tenant=south)
    with pytest.raises(PermissionMissing):
        parameters.approve(change.pk, by=stranger, tenant=north(cast))


def test_an_administrator_who_has_just_been_demoted_changes_nothing(cast: Cast) -> None:
    second = create_account(
        tenant=north(cast), login="bo", display_name="Bo", role="admin", password=PASSWORD
    )
    change_role(cast.admin, role="member", by=second)
    with pytest.raises(PermissionMissing):
        want(cast, "rate_per_minute", "6")


def test_an_organisation_that_logs_no_addresses_logs_none(cast: Cast) -> None:
    change = want(cast, "ip_logging", "none")
    record = {"action": "auth.login", "tenant_id": north(cast).pk, "actor": None, "ip": "198.51.100.7"}
    assert record_event(**record).ip == "198.51.100.xxx"  # type: ignore[arg-type]
    parameters.approve(change.pk, by=cast.officer, tenant=north(cast))
    assert record_event(**record).ip == ""  # type: ignore[arg-type]
    assert record_event(**record | {"tenant_id": None}).ip == "198.51.100.xxx"  # type: ignore[arg-type]


def set_and_roll_back(cast: Cast) -> None:
    with transaction.atomic():
        want(cast, "rate_per_minute", "6")
        raise ZeroDivisionError


def test_what_is_rolled_back_never_held(cast: Cast) -> None:
    assert value(cast, "rate_per_minute") == "1000"
    with pytest.raises(ZeroDivisionError):
        set_and_roll_back(cast)
    assert value(cast, "rate_per_minute") == "1000"
