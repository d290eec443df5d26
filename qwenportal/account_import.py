"""Import people at the terminal: the same steps as in the console, one after the other, with the list in a file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.urls import reverse

from accounts import importing
from accounts.import_models import AccountImport
from accounts.importing import Handed
from accounts.models import User
from accounts.onboarding import Way
from accounts.roles import ACCOUNT_MANAGE
from accounts.roster import MAX_FILE_BYTES, MAX_FILE_ROWS, Roster, read_roster
from accounts.sheets import write_sheet
from common.access import PermissionMissing
from tenants.models import Tenant
from tenants.scope import tenant_scope

Say = Callable[[str], object]


def import_file(
    path: Path, *, code: str, way: Way, list_path: Path | None, is_dry: bool, by: User, say: Say
) -> None:
    """Say what would happen; without `is_dry` do it, and write what opens the accounts to a new file.

    An interruption stops it between two batches; the same command again makes what is missing. Raises PermissionMissing
    where `by` does not manage that organisation, and CommandError for a file with faults.
    """
    tenant = Tenant.objects.filter(code=code).first()
    if tenant is None or tenant.pk != by.tenant_id or not by.has_permission(ACCOUNT_MANAGE):
        raise PermissionMissing(ACCOUNT_MANAGE)
    roster = _read(path, tenant)
    for fault in roster.faults:
        say(f"line {fault.number}: {fault.text}")
    if roster.faults:
        raise CommandError("Nothing was imported: these lines are not right.")
    new = sum(each.is_new for each in importing.plan_import(roster.lines, tenant=tenant))
    say(f"{new} new accounts, {len(roster.lines) - new} there already ({roster.encoding})")
    if is_dry:
        return
    if way != Way.DIRECTORY and list_path is None:
        raise CommandError("Say with --list where to write what opens the accounts.")
    run = importing.keep_import(roster.lines, way=way, by=by)
    importing.begin_import(run, by=by)
    _carry_on(run, say)
    _write(run, by=by, to=list_path, say=say)


def _read(path: Path, tenant: Tenant) -> Roster:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise CommandError(f"The file is larger than {MAX_FILE_BYTES // 1_000_000} MB.")
        return read_roster(path.read_bytes(), tenant=tenant, max_rows=MAX_FILE_ROWS)
    except OSError as error:
        raise CommandError(f"The file cannot be read: {error.strerror}.") from error
    except ValidationError as error:
        raise CommandError(" ".join(error.messages)) from error


def _carry_on(run: AccountImport, say: Say) -> None:
    """Work batch by batch; Ctrl-C leaves what is made, and its list."""
    try:
        importing.carry_on(run)
    except KeyboardInterrupt:
        with tenant_scope(run.tenant_id):
            AccountImport.objects.filter(pk=run.pk).update(state="stopped")
    with tenant_scope(run.tenant_id):
        run.refresh_from_db()
    say(f"{run.position} of {run.total} lines dealt with, {run.created} accounts made: {run.state}")


def _write(run: AccountImport, *, by: User, to: Path | None, say: Say) -> None:
    handed = list(importing.take_list(run, by=by))
    if to is None:
        return
    rows = ([each.account.login_name, each.account.display_name, _opens_with(each)] for each in handed)
    with os.fdopen(os.open(to, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(write_sheet(["login", "name", "opens_with"], rows))
    say(f"{to}: what opens the accounts, for you alone")


def _opens_with(handed: Handed) -> str:
    if handed.invitation is None:
        return handed.password
    path = reverse("account_invited", args=[handed.invitation.account_id, handed.invitation.token])
    return f"{settings.PORTAL.origins[0]}{path}"
