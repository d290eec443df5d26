"""Say of an import what its page shows."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from accounts.import_models import AccountImport, ImportState
from accounts.importing import is_running, plan_import
from accounts.onboarding import Newcomer, Way
from accounts.roles import Role
from accounts.roster import Line
from tenants.models import Tenant
from tenants.scope import current_tenant_id

SHOWN = 100


@dataclass(frozen=True, slots=True)
class Preview:
    """A line as it would be dealt with."""

    number: int
    login: str
    name: str
    department: str
    role: str
    is_new: bool


@dataclass(frozen=True, slots=True)
class ImportPage:
    """The page of one import; `new` and `there` count what would happen now, before it has begun."""

    id: UUID
    state: str
    is_running: bool
    is_interrupted: bool
    way: str
    total: int
    position: int
    created: int
    percent: int
    new: int
    there: int
    preview: list[Preview]


def show_import(run: AccountImport) -> ImportPage:
    """Return the page."""
    is_ready = run.state == ImportState.READY
    planned = plan_import(_lines(run), tenant=Tenant.objects.get(pk=current_tenant_id())) if is_ready else []
    new = sum(each.is_new for each in planned)
    running = is_running(run)
    return ImportPage(
        id=run.pk,
        state=run.state,
        is_running=running,
        is_interrupted=run.state == ImportState.RUNNING and not running,
        way=Way(run.way).value,
        total=run.total,
        position=run.position,
        created=run.created,
        percent=100 * run.position // run.total if run.total else 100,
        new=new,
        there=len(planned) - new,
        preview=[_preview(each.line, is_new=each.is_new) for each in planned[:SHOWN]],
    )


def _lines(run: AccountImport) -> list[Line]:
    return [Line(int(row[0]), Newcomer(row[1], row[2], row[3], row[4])) for row in run.rows]


def _preview(line: Line, *, is_new: bool) -> Preview:
    who = line.newcomer
    return Preview(
        line.number, who.login, who.display_name, who.department, str(Role(who.role).label), is_new
    )
