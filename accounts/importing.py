"""Import people: look what would happen, do it batch by batch, stop and go on, and hand out what opens the accounts.

An import never changes an account that exists. Each batch commits with its events and the import's position, so that a
stop, a crash or a second run loses nothing and makes nothing twice.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
import threading
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import Error, connections, transaction

from accounts.acting import recorded
from accounts.errors import ImportRunning
from accounts.import_models import AccountImport, ImportState
from accounts.invitations import Invitation, read_invitation
from accounts.models import User
from accounts.onboarding import Newcomer, Prepared, Way, prepare, store_prepared
from accounts.roles import ACCOUNT_MANAGE
from accounts.roster import Line
from accounts.temporary import password_from
from audit.services import record_event
from common import clock
from common.access import PermissionMissing
from common.errors import NotFound, PortalError
from common.tracebacks import where
from crypto.services import derive_key
from tenants.models import Tenant
from tenants.scope import tenant_scope

logger = logging.getLogger("portal.accounts")

BATCH = 20
# Without a sign of life for so long, whoever ran it is gone.
SILENT_S = 30
_PURPOSE = "accounts.import_list"


@dataclass(frozen=True, slots=True)
class Planned:
    """What would become of a line: a new account, or nothing because there is one."""

    line: Line
    is_new: bool


@dataclass(frozen=True, slots=True)
class Handed:
    """What opens one new account."""

    account: User
    password: str = ""
    invitation: Invitation | None = None


def plan_import(lines: Sequence[Line], *, tenant: Tenant) -> list[Planned]:
    """Return what would happen now, and change nothing."""
    logins = [line.newcomer.login for line in lines]
    there: set[str] = set()
    for start in range(0, len(logins), 500):
        found = User.objects.filter(tenant=tenant, login_name__in=logins[start : start + 500])
        there |= set(found.values_list("login_name", flat=True))
    return [Planned(line, line.newcomer.login not in there) for line in lines]


def keep_import(lines: Sequence[Line], *, way: Way, by: User) -> AccountImport:
    """Keep a checked file, ready to begin; what was kept before and does not run is dropped.

    Raises PermissionMissing, and ImportRunning while another one runs.
    """
    tenant_id = _require(by)
    with tenant_scope(tenant_id), transaction.atomic():
        Tenant.objects.select_for_update().get(pk=tenant_id)
        for old in AccountImport.objects.defer("rows"):
            if is_running(old):
                raise ImportRunning
            old.delete()
        rows = [
            [line.number, each.login, each.display_name, each.department, each.role]
            for line in lines
            for each in (line.newcomer,)
        ]
        kept: AccountImport = AccountImport.objects.create(
            tenant_id=tenant_id, by=by.pk, way=way, rows=rows, total=len(rows), salt=secrets.token_hex(32)
        )
    return kept


def find_import(import_id: UUID, *, by: User) -> AccountImport:
    """Return an import of the own organisation. Raises PermissionMissing and NotFound."""
    with tenant_scope(_require(by)):
        found: AccountImport | None = AccountImport.objects.filter(pk=import_id).first()
    if found is None:
        raise NotFound
    return found


def is_running(run: AccountImport) -> bool:
    """Return whether somebody works on it now; one whose process is gone can go on elsewhere."""
    is_silent = run.beat_at < clock.now() - timedelta(seconds=SILENT_S)
    return run.state == ImportState.RUNNING and not is_silent


def begin_import(run: AccountImport, *, by: User) -> None:
    """Mark an import as running in the name of `by`, and record it.

    Raises ImportRunning, PermissionMissing and NotFound.
    """
    tenant_id = _require(by)
    with (
        tenant_scope(tenant_id),
        recorded("account.import", by=by.pk, chain=tenant_id, object_type="tenant", object_id=tenant_id),
    ):
        locked = AccountImport.objects.select_for_update().filter(pk=run.pk).first()
        if locked is None:
            raise NotFound
        if is_running(locked):
            raise ImportRunning
        if locked.state != ImportState.DONE:
            AccountImport.objects.filter(pk=run.pk).update(
                state=ImportState.RUNNING, by=by.pk, stop_requested=False, beat_at=clock.now()
            )


def stop_import(run: AccountImport, *, by: User) -> None:
    """Ask an import to stop after its current batch; what is made stays."""
    with tenant_scope(_require(by)):
        AccountImport.objects.filter(pk=run.pk).update(stop_requested=True)


def carry_on(run: AccountImport) -> None:
    """Work on an import until it is done or stopped; for a thread of its own, or the terminal."""
    with tenant_scope(run.tenant_id):
        run.refresh_from_db()
        while run.state == ImportState.RUNNING:
            _work_on(run)


def start_thread(run: AccountImport) -> threading.Thread:
    """Work on an import in this process, and return at once; what fails leaves it interrupted, to be gone on with."""

    def work() -> None:
        try:
            carry_on(run)
        except (Error, PortalError, ValidationError) as error:
            logger.error("an import of accounts was interrupted: %s", where(error))
        finally:
            connections.close_all()

    thread = threading.Thread(target=work, name="account-import", daemon=True)
    thread.start()
    return thread


def drop_import(run: AccountImport, *, by: User) -> None:
    """Forget an import, and with it its list; accounts that it made stay. Raises ImportRunning, PermissionMissing."""
    with tenant_scope(_require(by)), transaction.atomic():
        locked = AccountImport.objects.select_for_update().filter(pk=run.pk).first()
        if locked is not None and is_running(locked):
            raise ImportRunning
        if locked is not None:
            locked.delete()


def take_list(run: AccountImport, *, by: User) -> Iterator[Handed]:
    """Return, once, what opens the accounts that the import made; the import is gone then.

    Raises NotFound where somebody else has taken it, ImportRunning, and PermissionMissing.
    """
    tenant_id = _require(by)
    with (
        tenant_scope(tenant_id),
        recorded("account.import_list", by=by.pk, chain=tenant_id, object_type="tenant", object_id=tenant_id),
    ):
        locked = AccountImport.objects.select_for_update().filter(pk=run.pk).first()
        if locked is None:
            raise NotFound
        if is_running(locked):
            raise ImportRunning
        handed = [_hand(locked, account) for account in _made_by(locked)]
        locked.delete()
    return iter(handed)


def _work_on(run: AccountImport) -> None:
    """Do one batch. Passwords are hashed before its transaction, which holds locks."""
    rows = run.rows[run.position : run.position + BATCH]
    there = {each.line.number for each in _planned(run, rows) if not each.is_new}
    prepared = [_prepare(run, row) for row in rows if row[0] not in there]
    with transaction.atomic():
        tenant = Tenant.objects.select_for_update().get(pk=run.tenant_id)
        locked = AccountImport.objects.select_for_update().defer("rows").filter(pk=run.pk).first()
        if locked is None or locked.state != ImportState.RUNNING or locked.position != run.position:
            run.state = ImportState.STOPPED  # somebody else works on it, or it was dropped
            return
        by = User.objects.filter(pk=locked.by).first()
        if locked.stop_requested or by is None or not by.has_permission(ACCOUNT_MANAGE):
            run.state = ImportState.STOPPED
        else:
            run.created += sum(store_prepared(each, tenant=tenant, by=by) for each in prepared)
            run.position += len(rows)
            run.state = ImportState.DONE if run.position >= run.total else ImportState.RUNNING
        run.beat_at = clock.now()
        run.save(update_fields=["created", "position", "state", "beat_at"])


def _planned(run: AccountImport, rows: Sequence[list[str]]) -> list[Planned]:
    lines = [Line(int(row[0]), _newcomer(row)) for row in rows]
    return plan_import(lines, tenant=Tenant.objects.get(pk=run.tenant_id))


def _prepare(run: AccountImport, row: list[str]) -> Prepared:
    account_id = uuid.uuid5(run.pk, row[1])
    password = _password_of(run, account_id) if run.way == Way.PASSWORD else ""
    return prepare(_newcomer(row), account_id, tenant_id=run.tenant_id, way=Way(run.way), password=password)


def _newcomer(row: list[str]) -> Newcomer:
    return Newcomer(login=row[1], display_name=row[2], department=row[3], role=row[4])


def _made_by(run: AccountImport) -> list[User]:
    """Return the accounts of this import: their ids follow from its own and their logins."""
    ids = [uuid.uuid5(run.pk, row[1]) for row in run.rows[: run.position]]
    made: list[User] = []
    for start in range(0, len(ids), 500):
        made += User.objects.filter(tenant_id=run.tenant_id, pk__in=ids[start : start + 500])
    return sorted(made, key=lambda account: account.login_name)


def _hand(run: AccountImport, account: User) -> Handed:
    """Return what opens an account, if that is still what it was made with."""
    if run.way == Way.INVITATION and account.invited_until is not None:
        return Handed(account, invitation=read_invitation(account.pk))
    if run.way == Way.PASSWORD and account.must_change_password:
        is_untouched = account.session_epoch == 0  # another password, role or state would have raised it
        return Handed(account, password=_password_of(run, account.pk) if is_untouched else "")
    return Handed(account)


def _password_of(run: AccountImport, account_id: UUID) -> str:
    key = derive_key(_PURPOSE, run.tenant_id)
    message = f"{run.salt}:{account_id}".encode()
    return password_from(hmac.new(key, message, hashlib.sha256).digest())


def _require(by: User) -> UUID:
    """Return the organisation whose people `by` manages. Raises PermissionMissing."""
    fresh = User.objects.filter(pk=by.pk).first()
    if fresh is None or fresh.tenant_id is None or not fresh.has_permission(ACCOUNT_MANAGE):
        raise PermissionMissing(ACCOUNT_MANAGE)
    return fresh.tenant_id


def record_export(*, by: User) -> None:
    """Record that the list of people was exported. Raises PermissionMissing."""
    tenant_id = _require(by)
    record_event(
        action="account.export",
        tenant_id=tenant_id,
        actor=by.pk,
        object_type="tenant",
        object_id=str(tenant_id),
    )
