"""Try the wall as the serving role: `python -m tests.tenants.wall_probe owner|app`, each in a process of its own.

As the owner it migrates and makes the serving role; as the serving role it makes the cast and goes around the manager.
Prints what it saw as JSON; the test judges.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
import uuid
from typing import Any

import django
from django.core.management import call_command
from django.db import DatabaseError, connection, models, transaction

APP_ROLE = "portal_app"


def main(part: str) -> None:
    django.setup()
    report: dict[str, Any] = own() if part == "owner" else serve()
    print(json.dumps(report))  # noqa: T201 - the probe's answer


def own() -> dict[str, Any]:
    from crypto.services import create_local_keys
    from tenants.walls import missing_walls, role_fault

    call_command("migrate", verbosity=0)
    create_local_keys()
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {APP_ROLE} LOGIN NOSUPERUSER NOBYPASSRLS")
        cursor.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {APP_ROLE}")
        cursor.execute(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {APP_ROLE}")
    return {"missing": missing_walls(connection), "fault": role_fault(connection)}


def serve() -> dict[str, Any]:
    from chat.conversations import mark_interrupted
    from chat.plans import read_plan
    from consent.models import ConsentNotice
    from tenants.walls import role_fault
    from tests.conftest import make_cast
    from tests.tenants.conftest import make_rows

    cast = make_cast()
    north, south = str(cast.member.tenant_id), str(cast.outsider.tenant_id)
    for person in (cast.member, cast.outsider):
        make_rows(person)
    fill_every_table(cast)
    report: dict[str, Any] = {"tenants": [north, south], "fault": role_fault(connection)}
    report["outside"] = counts()
    report["unseen"] = [
        table for name in (north, south) for table in tables() if seen_in(name, table) != [name]
    ]
    report["inside"] = {name: inside(name) for name in (north, south)}
    report["bare"] = {name: in_scope(name, lambda: bare_rows(ConsentNotice)) for name in (north, south)}
    report["nested"] = nested(north, south)
    report["after_savepoint"] = after_savepoint(north, south)
    report["written"] = in_scope(north, lambda: sorted(filter_allowed(foreign_writes(south))))
    report["touched"] = in_scope(
        north, lambda: {name: changed(sql) for name, sql in foreign_changes(south).items()}
    )
    report["async"] = asyncio.run(at_once([north, south] * 4))
    report["left_behind"] = counts()
    report["interrupted"] = mark_interrupted()
    report["plan"] = sorted(str(tenant) for tenant in read_plan(frozenset()).wanted)
    return report


def fill_every_table(cast: Any) -> None:
    """Give both tenants a row of every model, so that no table is kept apart by being empty."""
    from tests.console import policy_support
    from tests.tenants.conftest import every_model
    from tests.walls.people import make_people, scope_of
    from tests.walls.rows import first_of, make

    people = make_people(cast)
    for officer in (people.officer, people.outside_officer):
        policy_support.publish(officer, policy_support.officer("hua", officer.tenant))
    for owner in (people.owner, people.outside_member):
        side = dataclasses.replace(people, owner=owner)
        with scope_of(owner):
            for model in every_model():
                if first_of(model, side) is None:
                    make(model, side)


def seen_in(tenant: str, table: str) -> list[str]:
    found: list[str] = in_scope(tenant, lambda: seen(table))
    return found


def in_scope(tenant: str, act: Any) -> Any:
    from tenants.scope import tenant_scope

    with tenant_scope(uuid.UUID(tenant)):
        return act()


def seen(table: str) -> list[str]:
    """Return the tenants whose rows plain SQL sees."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT DISTINCT tenant_id FROM {table}")
        return sorted(str(row[0]) for row in cursor.fetchall())


def tables() -> list[str]:
    from tenants.walls import walled_tables

    return walled_tables()


def counts() -> list[str]:
    """Return the tables of which anything is seen, in and outside a transaction."""
    found = {table for table in tables() if seen(table)}
    with transaction.atomic():
        found |= {table for table in tables() if seen(table)}
    return sorted(found)


def inside(tenant: str) -> list[str]:
    """Return every tenant that is seen in one's scope, in and outside a transaction."""

    def look() -> set[str]:
        return {name for table in tables() for name in seen(table)}

    found = in_scope(tenant, look)
    with transaction.atomic():
        found |= in_scope(tenant, look)
    return sorted(found)


def bare_rows(model: type[models.Model]) -> list[str]:
    """Return whose rows a query without the scoped manager sees."""
    bare: models.QuerySet[Any] = models.QuerySet(model)
    in_parts = {str(row.tenant_id) for row in bare.iterator(chunk_size=1)}
    return sorted({str(row.tenant_id) for row in bare} | in_parts)


def nested(north: str, south: str) -> list[list[str]]:
    """Look in a scope within a scope and back, in one transaction."""
    table = "consent_consentnotice"

    def act() -> list[list[str]]:
        with transaction.atomic():
            first = seen(table)
            return [first, in_scope(south, lambda: seen(table)), seen(table)]

    return [*in_scope(north, act), seen(table)]


def after_savepoint(north: str, south: str) -> list[str]:
    """Look after a statement of another scope broke and was taken back."""
    table = "consent_consentnotice"

    def break_it() -> None:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT 1 / 0")
        except DatabaseError:
            pass

    def act() -> list[str]:
        with transaction.atomic():
            seen(table)
            in_scope(south, break_it)
            return seen(table)

    found: list[str] = in_scope(north, act)
    return found


def foreign_writes(south: str) -> dict[str, str]:
    """Return statements that would put a row into the other tenant."""
    copied = "SELECT gen_random_uuid(), version + 7, language, title, summary, body, sha256, published_at"
    columns = "id, version, language, title, summary, body, sha256, published_at, tenant_id"
    return {
        "insert": f"INSERT INTO consent_consentnotice ({columns}) {copied}, '{south}'::uuid FROM consent_consentnotice",
        "move": f"UPDATE consent_consentnotice SET tenant_id = '{south}'",
    }


def foreign_changes(south: str) -> dict[str, str]:
    """Return statements that would change or delete the other tenant's rows."""
    return {
        f"{verb} {table}": (
            f"DELETE FROM {table}" if verb == "delete" else f"UPDATE {table} SET tenant_id = tenant_id"
        )
        + f" WHERE tenant_id = '{south}'"
        for table in tables()
        for verb in ("update", "delete")
    }


def filter_allowed(statements: dict[str, str]) -> list[str]:
    return [name for name, statement in statements.items() if is_allowed(statement)]


def is_allowed(statement: str) -> bool:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    except DatabaseError:
        return False
    return True


def changed(statement: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return int(cursor.rowcount)


async def at_once(tenants: list[str]) -> list[list[str]]:
    """Look from several tasks, each in its own scope, giving way to the others between."""
    from chat.models import Conversation
    from common.threads import in_database_thread
    from tenants.scope import tenant_scope

    async def look(tenant: str) -> list[str]:
        found: set[str] = set()
        with tenant_scope(uuid.UUID(tenant)):
            for _ in range(3):
                found |= set(await in_database_thread(seen)("chat_conversation"))
                await asyncio.sleep(0.001)
                bare: models.QuerySet[Any] = models.QuerySet(Conversation)
                found |= {str(row.tenant_id) async for row in bare}
        return sorted(found)

    return list(await asyncio.gather(*map(look, tenants)))


if __name__ == "__main__":
    main(sys.argv[1])
