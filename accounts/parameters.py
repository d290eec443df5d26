"""Change system parameters: each with a reason, those that compliance rests on only with a second person's approval.

Who proposes never approves. In an organisation with three administrators separated its security officer approves, in
others a second administrator or the officer; of the installation's parameters, another operator. A proposal holds for
the value that it was made on: once that has changed, it is overtaken.

Every change is one transaction with its audit event, which holds the old and the new value; a refusal is recorded
outside it. Changes in one organisation, and those of the installation, wait for each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet

from accounts.errors import (
    ChangeOvertaken,
    ChangeRefused,
    OwnProposal,
    ProposalClosed,
    ReasonMissing,
    ValueImpossible,
)
from accounts.live import announce_parameters
from accounts.models import User
from accounts.roles import PARAMETER_APPROVE, PARAMETER_EDIT, TENANT_MANAGE, Role
from audit.models import Outcome
from audit.services import record_event
from common import clock
from common.access import PermissionMissing
from common.errors import NotFound
from tenants.models import (
    REASON_CHARS,
    ChangeState,
    InstallationParameterChange,
    ParameterChange,
    Tenant,
    TenantParameterChange,
)
from tenants.parameters import BY_CODE, Keeper, Scope
from tenants.scope import tenant_scope
from tenants.values import Values, changing_values, installation_values, tenant_values


@dataclass(frozen=True, slots=True)
class Wanted:
    """A value that somebody wants, and the number of the change that their page showed as the newest."""

    text: str
    base: int


def set_parameters(
    wanted: Mapping[str, Wanted], *, reason: str, by: User, tenant: Tenant | None
) -> list[ParameterChange]:
    """Put values into force, or propose those that need a second person; return what came of it, all or nothing.

    `tenant` is the organisation, None for the installation's parameters. A value that is there already changes
    nothing. Raises PermissionMissing, ReasonMissing, ValueImpossible, and ChangeOvertaken where somebody else has
    changed or proposed one of them meanwhile.
    """
    with _refusals_recorded("parameter.set", by=by, tenant=tenant), _changing(tenant, by=by) as acting:
        _require_keeper(acting, tenant=tenant, codes=wanted)
        texts = _parsed(wanted)
        reason = _checked_reason(reason)
        made = []
        for code, text in texts.items():
            current = _newest(tenant, code)
            change = _drafted(code, text, current=current, tenant=tenant)
            if (current.number or 0) != wanted[code].base:
                raise ChangeOvertaken
            if change.new == change.old:
                continue
            change.reason, change.proposed_by = reason, acting.pk
            _begin(change, tenant=tenant)
            made.append(change)
        return made


def approve(change_id: UUID, *, by: User, tenant: Tenant | None, note: str = "") -> None:
    """Put a proposal into force as the second person.

    Raises PermissionMissing, NotFound, OwnProposal, ProposalClosed, and ChangeOvertaken, which closes the proposal.
    """
    with _refusals_recorded("parameter.approve", by=by, tenant=tenant):
        with _changing(tenant, by=by) as acting:
            change = _proposal(change_id, tenant=tenant, by=acting)
            is_overtaken = (_newest(tenant, change.code).number or 0) != change.base
            state = ChangeState.STALE if is_overtaken else ChangeState.APPLIED
            _decide(change, state=state, by=acting, note=note)
            if not is_overtaken:
                _record("parameter.approve", change, by=acting.pk, tenant=tenant)
        if is_overtaken:
            raise ChangeOvertaken


def reject(change_id: UUID, *, by: User, tenant: Tenant | None, note: str) -> None:
    """Reject a proposal, with a reason. Raises as `approve`, and ReasonMissing."""
    with _refusals_recorded("parameter.reject", by=by, tenant=tenant), _changing(tenant, by=by) as acting:
        change = _proposal(change_id, tenant=tenant, by=acting)
        _decide(change, state=ChangeState.REJECTED, by=acting, note=_checked_reason(note))
        _record("parameter.reject", change, by=acting.pk, tenant=tenant)


def withdraw(change_id: UUID, *, by: User, tenant: Tenant | None) -> None:
    """Take one's own proposal back. Raises PermissionMissing, NotFound and ProposalClosed."""
    with _refusals_recorded("parameter.withdraw", by=by, tenant=tenant), _changing(tenant, by=by) as acting:
        change = _find(change_id, tenant=tenant)
        if change.proposed_by != acting.pk or not acting.has_permission(PARAMETER_EDIT):
            raise PermissionMissing(PARAMETER_EDIT)
        _require_open(change)
        _decide(change, state=ChangeState.WITHDRAWN, by=acting, note="")
        _record("parameter.withdraw", change, by=acting.pk, tenant=tenant)


def values_of(tenant: Tenant | None) -> Values:
    """Return the values as they hold now, of an organisation or of the installation."""
    return installation_values() if tenant is None else tenant_values(tenant.pk)


def changes_of(tenant: Tenant | None) -> QuerySet[Any]:
    """Return every change, the newest first. Evaluate it within the organisation's scope."""
    rows: QuerySet[Any] = _model(tenant).objects.order_by("-proposed_at", "-number")
    return rows


def may_approve(account: User, *, tenant: Tenant | None) -> bool:
    """Return whether the account may be the second person here at all."""
    belongs = account.tenant_id == (tenant.pk if tenant else None)
    return belongs and account.has_permission(PARAMETER_APPROVE)


def count_waiting(account: User) -> int:
    """Return how many proposals wait for this account to decide; in the scope of its organisation."""
    if not may_approve(account, tenant=account.tenant):
        return 0
    waiting = changes_of(account.tenant).filter(state=ChangeState.PROPOSED)
    return int(waiting.exclude(proposed_by=account.pk).count())


@contextmanager
def _changing(tenant: Tenant | None, *, by: User) -> Iterator[User]:
    """Wait until nobody else changes parameters here, and give the person who acts, read anew."""
    with changing_values():
        if tenant is None:
            operators = User.objects.filter(role=Role.OPERATOR).order_by("pk")
            list(operators.select_for_update(of=("self",)))
        else:
            Tenant.objects.select_for_update().get(pk=tenant.pk)
        acting = User.objects.filter(pk=by.pk).first()
        if acting is None:
            raise PermissionMissing(PARAMETER_EDIT)
        with tenant_scope(tenant.pk) if tenant else nullcontext():
            yield acting
        transaction.on_commit(announce_parameters)


def _require_keeper(acting: User, *, tenant: Tenant | None, codes: Mapping[str, object]) -> None:
    """Raise PermissionMissing unless all these parameters are this person's to set here."""
    scope = Scope.INSTALLATION if tenant is None else Scope.TENANT
    for code in codes:
        parameter = BY_CODE.get(code)
        if parameter is None or parameter.scope != scope:
            raise PermissionMissing(PARAMETER_EDIT)
        needed = TENANT_MANAGE if parameter.keeper == Keeper.OPERATOR else PARAMETER_EDIT
        is_own = parameter.keeper == Keeper.OPERATOR or acting.tenant_id == (tenant and tenant.pk)
        if not is_own or not acting.has_permission(needed):
            raise PermissionMissing(needed)


def _parsed(wanted: Mapping[str, Wanted]) -> dict[str, str]:
    """Return every value as it is stored. Raises ValueImpossible, which names all that are wrong."""
    texts, faults = {}, {}
    for code, value in wanted.items():
        try:
            texts[code] = BY_CODE[code].parse(value.text)
        except ValidationError as error:
            faults[code] = " ".join(error.messages)
    if faults:
        raise ValueImpossible(faults)
    return texts


def _checked_reason(reason: str) -> str:
    reason = " ".join(reason.split())
    if not reason or len(reason) > REASON_CHARS:
        raise ReasonMissing
    return reason


def _model(tenant: Tenant | None) -> Any:
    return InstallationParameterChange if tenant is None else TenantParameterChange


def _newest(tenant: Tenant | None, code: str) -> ParameterChange:
    """Return the change in force; for a value that nobody has set an unsaved one, without a number."""
    applied = _model(tenant).objects.filter(code=code, state=ChangeState.APPLIED)
    newest: ParameterChange | None = applied.order_by("-number").first()
    return newest or _unset(_model(tenant), code)


def _unset(model: type[ParameterChange], code: str) -> ParameterChange:
    return model(code=code, new=BY_CODE[code].initial())


def _drafted(code: str, text: str, *, current: ParameterChange, tenant: Tenant | None) -> ParameterChange:
    change: ParameterChange = _model(tenant)(
        code=code,
        old=BY_CODE[code].clamp(current.new),
        new=text,
        base=current.number or 0,
        needs_second=BY_CODE[code].needs_second,
    )
    if tenant is not None:
        change.tenant_id = tenant.pk  # type: ignore[attr-defined]  # only an organisation's change has one
    return change


def _begin(change: ParameterChange, *, tenant: Tenant | None) -> None:
    """Put a change into force, or have it wait. Raises ChangeOvertaken where another proposal waits already."""
    if not change.needs_second:
        change.state, change.number = ChangeState.APPLIED, change.base + 1
        _record("parameter.set", change, by=change.proposed_by, tenant=tenant)
    else:
        if _model(tenant).objects.filter(code=change.code, state=ChangeState.PROPOSED).exists():
            raise ChangeOvertaken
        change.state = ChangeState.PROPOSED
        _record("parameter.propose", change, by=change.proposed_by, tenant=tenant)
    change.save(force_insert=True)


def _find(change_id: UUID, *, tenant: Tenant | None) -> ParameterChange:
    found: ParameterChange | None = _model(tenant).objects.select_for_update().filter(pk=change_id).first()
    if found is None:
        raise NotFound
    return found


def _proposal(change_id: UUID, *, tenant: Tenant | None, by: User) -> ParameterChange:
    """Return an open proposal that this person may decide."""
    if not may_approve(by, tenant=tenant):
        raise PermissionMissing(PARAMETER_APPROVE)
    change = _find(change_id, tenant=tenant)
    if change.proposed_by == by.pk:
        raise OwnProposal
    _require_open(change)
    return change


def _require_open(change: ParameterChange) -> None:
    if change.state != ChangeState.PROPOSED:
        raise ProposalClosed


def _decide(change: ParameterChange, *, state: ChangeState, by: User, note: str) -> None:
    change.state, change.decided_by, change.decided_at = state, by.pk, clock.now()
    change.note = " ".join(note.split())[:REASON_CHARS]
    if state == ChangeState.APPLIED:
        change.number = change.base + 1
    change.save(update_fields=["state", "decided_by", "decided_at", "note", "number"])


def _record(action: str, change: ParameterChange, *, by: UUID, tenant: Tenant | None) -> None:
    record_event(
        action=action,
        tenant_id=tenant.pk if tenant else None,
        actor=by,
        object_type="parameter",
        object_id=f"{change.code}:{change.old}-{change.new}",
    )


@contextmanager
def _refusals_recorded(action: str, *, by: User, tenant: Tenant | None) -> Iterator[None]:
    """Record a refusal outside of what was refused; a slip in a form is none."""
    try:
        yield
    except (NotFound, ChangeRefused) as error:
        if not isinstance(error, ReasonMissing | ValueImpossible):
            record_event(
                action=action,
                # In a stranger's own chain, whatever organisation was named.
                tenant_id=tenant.pk if tenant and by.tenant_id in (None, tenant.pk) else by.tenant_id,
                actor=by.pk,
                outcome=Outcome.REFUSED,
                status=error.http_status,
            )
        raise
