"""Say of organisations who they are, what state they are in, and what may be done with them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count, Q, QuerySet
from django.utils.timezone import localdate
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.roles import Role
from common.errors import NotFound
from console.artifacts import Mark
from tenants.models import QuotaUse, Tenant
from tenants.parameters import BY_CODE
from tenants.scope import tenant_scope
from tenants.values import Values, tenant_values

PAGE_ROWS = 50

STATES = {
    "active": Mark("ok", _("active")),
    "suspended": Mark("warn", _("suspended")),
    "deleting": Mark("danger", _("to be deleted")),
    "deleted": Mark("mute", _("deleted")),
}
_FILTERS = {
    "active": Q(is_active=True),
    "suspended": Q(is_active=False, erase_due_at__isnull=True),
    "deleting": Q(erase_due_at__isnull=False, erased_at__isnull=True),
    "deleted": Q(erased_at__isnull=False),
}


@dataclass(frozen=True, slots=True)
class Organisation:
    """One organisation in the list; `due` is when it will be deleted."""

    id: UUID
    code: str
    name: str
    mark: Mark
    accounts: int
    due: datetime | None


@dataclass(frozen=True, slots=True)
class OrganisationList:
    """One page of the list; `after` is the code that the next one begins after, "" where there is none."""

    rows: list[Organisation]
    total: int
    after: str


@dataclass(frozen=True, slots=True)
class Used:
    """What an organisation uses of a quota."""

    label: str
    used: int
    of: int


@dataclass(frozen=True, slots=True)
class OrganisationPage:
    """The page of one organisation, with what may be done with it now; `progress` is that of a deletion, in percent."""

    tenant: Tenant
    mark: Mark
    roles: list[tuple[str, int]]
    uses: list[Used]
    may_suspend: bool
    may_resume: bool
    may_delete: bool
    may_keep: bool
    progress: int | None


def list_organisations(*, text: str, state: str, after: str) -> OrganisationList:
    """Return the organisations whose code or name holds `text`, in the order of their codes, from a code on."""
    found = _found(text=text, state=state)
    rows = list(found.filter(code__gt=after).order_by("code")[: PAGE_ROWS + 1])
    shown = rows[:PAGE_ROWS]
    counts = _account_counts(shown)
    return OrganisationList(
        rows=[_organisation(tenant, counts.get(tenant.pk, 0)) for tenant in shown],
        total=found.count(),
        after=shown[-1].code if len(rows) > PAGE_ROWS else "",
    )


def organisation(tenant_id: UUID) -> Tenant:
    """Return an organisation. Raises NotFound."""
    tenant = Tenant.objects.filter(pk=tenant_id).first()
    if tenant is None:
        raise NotFound
    return tenant


def organisation_page(tenant: Tenant) -> OrganisationPage:
    """Return the page of one organisation."""
    state = state_of(tenant)
    return OrganisationPage(
        tenant=tenant,
        mark=STATES[state],
        roles=_roles(tenant),
        uses=_uses(tenant),
        may_suspend=state == "active",
        may_resume=state == "suspended",
        may_delete=state in ("active", "suspended"),
        may_keep=state == "deleting" and tenant.erasing_since is None,
        progress=_progress(tenant),
    )


def state_of(tenant: Tenant) -> str:
    """Return the name of an organisation's state in STATES."""
    if tenant.erased_at is not None:
        return "deleted"
    if tenant.erase_due_at is not None:
        return "deleting"
    return "active" if tenant.is_active else "suspended"


def _found(*, text: str, state: str) -> QuerySet[Tenant]:
    named = Q(code__icontains=text) | Q(name__icontains=text) if text else Q()
    return Tenant.objects.filter(named, _FILTERS.get(state, Q()))


def _account_counts(tenants: list[Tenant]) -> dict[UUID, int]:
    people = User.objects.filter(tenant__in=tenants).order_by().values_list("tenant")
    return dict(people.annotate(count=Count("pk")))


def _organisation(tenant: Tenant, accounts: int) -> Organisation:
    due = tenant.erase_due_at if tenant.erased_at is None else None
    return Organisation(tenant.pk, tenant.code, tenant.name, STATES[state_of(tenant)], accounts, due)


def _roles(tenant: Tenant) -> list[tuple[str, int]]:
    people = User.objects.filter(tenant=tenant, is_active=True).order_by().values_list("role")
    counts = dict(people.annotate(count=Count("pk")))
    return [(str(Role(role).label), counts.get(role, 0)) for role in Role.values if role != Role.OPERATOR]


def _uses(tenant: Tenant) -> list[Used]:
    """Return what the organisation uses of the quotas that it has."""
    values = tenant_values(tenant.pk)
    with tenant_scope(tenant.pk):
        use = QuotaUse.objects.order_by("-day").filter(day=localdate()).first()
    active = User.objects.filter(tenant=tenant, is_active=True).count()
    uses = (
        ("quota_accounts", active),
        ("quota_turns_per_day", use.turns if use else 0),
        ("quota_tokens_per_day", use.tokens if use else 0),
    )
    return [_used(values, code, used) for code, used in uses if values.number(code)]


def _used(values: Values, code: str, used: int) -> Used:
    return Used(str(BY_CODE[code].label), used, values.number(code))


def _progress(tenant: Tenant) -> int | None:
    """Return how much of a deletion is done, in percent; None before it begins and after its end."""
    if tenant.erasing_since is None or tenant.erased_at is not None:
        return None
    return min(99, 100 * tenant.erase_done // max(1, tenant.erase_total))
