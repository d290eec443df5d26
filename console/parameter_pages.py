"""Say of each system parameter what holds, who changed it last, and what waits for a second person."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from accounts.parameters import changes_of, may_approve, values_of
from accounts.roles import PARAMETER_EDIT
from console.approvals import person
from console.artifacts import Mark
from console.parameter_forms import ParameterForm
from console.viewers import names_of
from tenants.models import ChangeState, ParameterChange, Tenant
from tenants.parameters import BY_CODE, AnyParameter, Choice, Keeper, Number, Scope, Section, parameters_of

SECTIONS = {
    Section.LIMITS: gettext_lazy("Limits of use"),
    Section.SIGN_IN: gettext_lazy("Sign-in"),
    Section.COMPLIANCE: gettext_lazy("Compliance"),
    Section.QUOTA: gettext_lazy("Quotas"),
    Section.LIFE: gettext_lazy("Organisations"),
}
STATES = {
    ChangeState.PROPOSED: Mark("warn", gettext_lazy("Waits for a second person")),
    ChangeState.APPLIED: Mark("ok", gettext_lazy("In force")),
    ChangeState.REJECTED: Mark("danger", gettext_lazy("Rejected")),
    ChangeState.WITHDRAWN: Mark("mute", gettext_lazy("Withdrawn")),
    ChangeState.STALE: Mark("mute", gettext_lazy("Overtaken by another change")),
}


@dataclass(frozen=True, slots=True)
class Change:
    """A change as it is told: in the history, and where it waits."""

    id: UUID
    label: str
    old: str
    new: str
    reason: str
    note: str
    mark: Mark
    by: str
    at: datetime
    decided_by: str
    decided_at: datetime | None
    may_decide: bool = False
    may_withdraw: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One parameter: `value` is what stands in the field, `shown` what holds; `base` numbers the change behind it."""

    code: str
    label: str
    hint: str
    unit: str
    options: tuple[tuple[str, str], ...]
    value: str
    shown: str
    base: int
    error: str
    pending: str
    last: Change | None
    waiting: Change | None


@dataclass(frozen=True, slots=True)
class Group:
    """The parameters of one section."""

    title: str
    needs_second: bool
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class ParameterPage:
    """The page; `faults` names the parameters that are wrong, `dirty` counts what is typed and not saved."""

    groups: list[Group]
    waiting: list[Change]
    may_edit: bool
    dirty: int
    faults: list[Row]
    reason: str
    error: str


def parameter_page(
    viewer: User,
    *,
    tenant: Tenant | None,
    keeper: Keeper,
    typed: ParameterForm | None = None,
    faults: dict[str, str] | None = None,
    error: str = "",
) -> ParameterPage:
    """Return the parameters of an organisation, or of the installation, that `keeper` sets. In the scope."""
    scope = Scope.INSTALLATION if tenant is None else Scope.TENANT
    parameters = parameters_of(scope=scope, keeper=keeper)
    told = _told(viewer, tenant=tenant, codes=[parameter.code for parameter in parameters])
    values = values_of(tenant)
    rows = [
        _row(
            parameter,
            shown=values.text(parameter.code),
            changes=[change for change in told if change.code == parameter.code],
            typed=typed.typed.get(parameter.code) if typed else None,
            error=(faults or {}).get(parameter.code, ""),
        )
        for parameter in parameters
    ]
    return ParameterPage(
        groups=_groups(parameters, rows),
        waiting=[row.waiting for row in rows if row.waiting],
        may_edit=viewer.has_permission(PARAMETER_EDIT),
        dirty=sum(bool(row.pending) for row in rows),
        faults=[row for row in rows if row.error],
        reason=typed.reason if typed else "",
        error=error,
    )


def show_history(
    viewer: User, *, tenant: Tenant | None, keeper: Keeper, before: int = 0, count: int = 100
) -> list[Change]:
    """Return the newest changes of all those parameters, `before` of them left out. In the scope."""
    scope = Scope.INSTALLATION if tenant is None else Scope.TENANT
    codes = [parameter.code for parameter in parameters_of(scope=scope, keeper=keeper)]
    rows = list(changes_of(tenant).filter(code__in=codes)[before : before + count])
    names = _names(rows)
    return [_change(row, names=names, viewer=viewer, tenant=tenant) for row in rows]


def value_label(code: str, text: str) -> str:
    """Return a value as people read it."""
    parameter = BY_CODE.get(code)
    if isinstance(parameter, Choice):
        return str(dict(parameter.options).get(text, text))
    if isinstance(parameter, Number) and parameter.zero and text == "0":
        return str(parameter.zero)
    return f"{int(text):,}" if text.isdecimal() else text


@dataclass(frozen=True, slots=True)
class _Told:
    """A change as it is told, with what the row of its parameter needs."""

    code: str
    number: int | None
    state: str
    change: Change


def _told(viewer: User, *, tenant: Tenant | None, codes: Sequence[str]) -> list[_Told]:
    """Return what is in force or waits, the newest first."""
    open_or_in_force = [ChangeState.PROPOSED, ChangeState.APPLIED]
    rows = list(changes_of(tenant).filter(code__in=codes, state__in=open_or_in_force).order_by("-number"))
    names = _names(rows)
    return [
        _Told(row.code, row.number, row.state, _change(row, names=names, viewer=viewer, tenant=tenant))
        for row in rows
    ]


def _row(parameter: AnyParameter, *, shown: str, changes: list[_Told], typed: str | None, error: str) -> Row:
    applied = [told for told in changes if told.state == ChangeState.APPLIED]
    newest = max(applied, key=lambda told: told.number or 0, default=None)
    waiting = next((told.change for told in changes if told.state == ChangeState.PROPOSED), None)
    value = shown if typed is None else typed
    return Row(
        code=parameter.code,
        label=str(parameter.label),
        hint=_hint(parameter),
        unit=str(parameter.unit) if isinstance(parameter, Number) else "",
        options=_options(parameter),
        value=value,
        shown=shown,
        base=(newest.number or 0) if newest else 0,
        error=error,
        pending=f"{value_label(parameter.code, shown)} → {_typed_label(parameter, value)}"
        if value.strip() != shown
        else "",
        last=newest.change if newest else None,
        waiting=waiting,
    )


def _typed_label(parameter: AnyParameter, value: str) -> str:
    return value_label(parameter.code, value) if value.isascii() else value


def _hint(parameter: AnyParameter) -> str:
    """Return the hint with the bounds, as in “Of one person, 1–60”."""
    if not isinstance(parameter, Number):
        return str(parameter.hint)
    low, high = parameter.bounds
    bounds = f"{low:,}–{high:,}"
    zero = _("0: %(meaning)s") % {"meaning": parameter.zero} if parameter.zero else ""
    return " · ".join(filter(None, (str(parameter.hint), bounds, zero)))


def _options(parameter: AnyParameter) -> tuple[tuple[str, str], ...]:
    if not isinstance(parameter, Choice):
        return ()
    return tuple((str(value), str(label)) for value, label in parameter.options)


def _groups(parameters: Iterable[AnyParameter], rows: Iterable[Row]) -> list[Group]:
    grouped: dict[Section, Group] = {}
    for parameter, row in zip(parameters, rows, strict=True):
        title = str(SECTIONS[parameter.section])
        group = grouped.setdefault(parameter.section, Group(title, parameter.needs_second, []))
        group.rows.append(row)
    return list(grouped.values())


def _names(rows: Iterable[ParameterChange]) -> dict[UUID, str]:
    return names_of([each for row in rows for each in (row.proposed_by, row.decided_by)])


def _change(row: ParameterChange, *, names: dict[UUID, str], viewer: User, tenant: Tenant | None) -> Change:
    is_open, is_own = row.state == ChangeState.PROPOSED, row.proposed_by == viewer.pk
    parameter = BY_CODE.get(row.code)
    return Change(
        id=row.pk,
        label=str(parameter.label) if parameter else row.code,
        old=value_label(row.code, row.old),
        new=value_label(row.code, row.new),
        reason=row.reason,
        note=row.note,
        mark=STATES[ChangeState(row.state)],
        by=person(row.proposed_by, names),
        at=row.proposed_at,
        decided_by=person(row.decided_by, names) if row.decided_by else "",
        decided_at=row.decided_at,
        may_decide=is_open and not is_own and may_approve(viewer, tenant=tenant),
        may_withdraw=is_open and is_own,
    )
