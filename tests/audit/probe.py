"""Run against a database of its own, in a process of its own: `python -m tests.audit.probe`.

Migrates, lets threads write at once, tries every forbidden statement, then damages the log behind the guards' back.
Prints what it saw as JSON; the tests judge.
"""

from __future__ import annotations

import json
import threading
import uuid
from typing import Any

import django
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction

WRITERS = 8
EVENTS_EACH = 20


def main() -> None:
    django.setup()
    from crypto.services import create_local_keys

    call_command("migrate", verbosity=0)
    create_local_keys()
    tenants = [uuid.uuid4(), uuid.uuid4()]
    errors = write_at_once(tenants)
    report: dict[str, Any] = {"vendor": connection.vendor, "errors": errors}
    report["lengths"] = [length_and_gaps(tenant) for tenant in tenants]
    report["verified"] = [verdict(tenant) for tenant in tenants]
    report["allowed"] = [name for name, statement in forbidden(tenants[0]).items() if is_allowed(statement)]
    report["still_whole"] = verdict(tenants[0])
    report["damaged"] = damage(tenants[0])
    print(json.dumps(report))  # noqa: T201 - the probe's answer


def write_at_once(tenants: list[uuid.UUID]) -> list[str]:
    from audit.services import record_event

    errors: list[str] = []

    def write(number: int) -> None:
        try:
            for count in range(EVENTS_EACH):
                record_event(
                    action="chat.request",
                    tenant_id=tenants[count % len(tenants)],
                    actor=uuid.UUID(int=number),
                )
        except Exception as error:  # noqa: BLE001 - a probe reports whatever it sees
            errors.append(repr(error.__cause__ or error))
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def length_and_gaps(tenant_id: uuid.UUID) -> list[int]:
    from audit.models import AuditEvent

    places = list(
        AuditEvent.objects.filter(tenant_id=tenant_id).order_by("seq").values_list("seq", flat=True)
    )
    return [len(places), sum(place != count for count, place in enumerate(places, start=1))]


def verdict(tenant_id: uuid.UUID) -> list[Any]:
    from audit.verification import verify_chain

    found = verify_chain(tenant_id)
    return [found.ok, found.count, found.first_bad_seq, found.reason.value]


def forbidden(tenant_id: uuid.UUID) -> dict[str, str]:
    """Return statements that the database itself must refuse."""
    chain = f"'{tenant_id}'" if connection.vendor == "postgresql" else f"'{tenant_id.hex}'"
    statements = {
        "update event": f"UPDATE audit_auditevent SET actor = 'x' WHERE seq = 3 AND tenant_id = {chain}",
        "update every event": "UPDATE audit_auditevent SET status = 200",
        "delete event": f"DELETE FROM audit_auditevent WHERE seq = 3 AND tenant_id = {chain}",
        "delete every event": "DELETE FROM audit_auditevent",
        "delete head": f"DELETE FROM audit_auditchain WHERE tenant_id = {chain}",
        "set head back": f"UPDATE audit_auditchain SET seq = seq - 1 WHERE tenant_id = {chain}",
        "set head forward": f"UPDATE audit_auditchain SET seq = seq + 1 WHERE tenant_id = {chain}",
        "change head": f"UPDATE audit_auditchain SET hash = 'x' WHERE tenant_id = {chain}",
        "insert twice": f"INSERT INTO audit_auditevent ({COLUMNS}) SELECT {COLUMNS} FROM audit_auditevent",
        "insert ahead": (
            f"INSERT INTO audit_auditevent ({COLUMNS}) "
            f"SELECT {COLUMNS.replace('seq', 'seq + 900')} FROM audit_auditevent WHERE tenant_id = {chain}"
        ),
    }
    if connection.vendor == "postgresql":
        statements["truncate events"] = "TRUNCATE audit_auditevent"
        statements["truncate heads"] = "TRUNCATE audit_auditchain"
    return statements


COLUMNS = (
    "tenant_id, seq, at_us, actor, action, object_type, object_id, outcome, status, ip, model_digest, policy_version, "
    "prev_hash, hash"
)


def is_allowed(statement: str) -> bool:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    except DatabaseError:
        return False
    return True


def damage(tenant_id: uuid.UUID) -> list[Any]:
    """Change one event as somebody would who may drop triggers."""
    from audit.guards import drop_guards, missing_guards
    from audit.models import AuditEvent

    drop_guards(connection)
    AuditEvent.objects.filter(tenant_id=tenant_id, seq=7).update(status=500)
    return [*verdict(tenant_id), len(missing_guards(connection)) > 0]


if __name__ == "__main__":
    main()
