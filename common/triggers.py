"""Make triggers that refuse a statement, in the words of SQLite and of PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.backends.base.base import BaseDatabaseWrapper


@dataclass(frozen=True, slots=True)
class Guard:
    """A trigger: statements of kind `when` (INSERT, UPDATE, DELETE) on rows of `table` for which `condition` holds fail
    with `text`.

    All are constants of the program; nothing of them comes from outside. `{differs}` in the condition compares two
    values of which either may be null.
    """

    when: str
    table: str
    condition: str
    text: str


class Guards:
    """The triggers of an app, by name."""

    def __init__(self, guards: Mapping[str, Guard]) -> None:
        self._guards = dict(guards)

    def create(self, connection: BaseDatabaseWrapper) -> None:
        """Create the triggers of every table that there is; those that exist are made anew.

        A migration may run before a later one has made its tables.
        """
        self.drop(connection)
        make = _on_postgres if connection.vendor == "postgresql" else _on_sqlite
        with connection.cursor() as cursor:
            tables = set(connection.introspection.table_names(cursor))
            for name, guard in self._guards.items():
                if guard.table in tables:
                    cursor.execute(make(name, guard))

    def drop(self, connection: BaseDatabaseWrapper) -> None:
        """Drop every trigger, to migrate back. Nothing that serves calls this."""
        with connection.cursor() as cursor:
            for name, guard in self._guards.items():
                on = f" ON {guard.table}" if connection.vendor == "postgresql" else ""
                cursor.execute(f"DROP TRIGGER IF EXISTS {name}{on}")

    def missing(self, connection: BaseDatabaseWrapper) -> list[str]:
        """Return the names of triggers that are gone or switched off."""
        query = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        if connection.vendor == "postgresql":
            query = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled IN ('O', 'A')"
        with connection.cursor() as cursor:
            cursor.execute(query)
            present = {row[0] for row in cursor.fetchall()}
        return [name for name in self._guards if name not in present]


def _on_sqlite(name: str, guard: Guard) -> str:
    return (
        f"CREATE TRIGGER {name} BEFORE {guard.when} ON {guard.table}"
        f" WHEN {guard.condition.format(differs='IS NOT')} BEGIN SELECT RAISE(ABORT, '{guard.text}'); END"
    )


def _on_postgres(name: str, guard: Guard) -> str:
    """Return function and trigger; the condition stands in the function, where it may hold a subquery."""
    back = "OLD" if guard.when == "DELETE" else "NEW"
    return (
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF {guard.condition.format(differs='IS DISTINCT FROM')} THEN"
        f" RAISE EXCEPTION '{guard.text}' USING ERRCODE = '42501'; END IF; RETURN {back}; END $$;"
        f" CREATE TRIGGER {name} BEFORE {guard.when} ON {guard.table} FOR EACH ROW EXECUTE FUNCTION {name}()"
    )
