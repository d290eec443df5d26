"""Wall the tables of tenants' data off in PostgreSQL: without `app.tenant` no row is seen, with it one tenant's rows.

This holds where the manager does not: for raw SQL, a forgotten filter, a query from outside. FORCE binds the tables'
owner, too; superusers and roles with BYPASSRLS are bound by nothing, so the portal does not serve as one in production.

Every TenantModel needs a migration with `wall_off(table)`; a test fails for one that has none. Outside are accounts,
since signing in comes before any scope, audit events, whose chain each query names, decisions about models, and data
keys.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.operations import RunSQL

from tenants.models import TenantModel

POLICY = "tenant_wall"
_OWN_ROW = "tenant_id = nullif(current_setting('app.tenant', true), '')::uuid"


class PostgresSQL(RunSQL):
    """SQL that is run on PostgreSQL only."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Run it, or nothing."""
        if schema_editor.connection.vendor == "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Take it back, or nothing."""
        if schema_editor.connection.vendor == "postgresql":
            super().database_backwards(app_label, schema_editor, from_state, to_state)


def wall_off(table: str) -> PostgresSQL:
    """Return the operation that puts the wall around a table, and takes it down on the way back."""
    return PostgresSQL(
        sql=[
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
            f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
            f"CREATE POLICY {POLICY} ON {table} USING ({_OWN_ROW}) WITH CHECK ({_OWN_ROW})",
        ],
        reverse_sql=[
            f"DROP POLICY {POLICY} ON {table}",
            f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY",
            f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY",
        ],
    )


def walled_tables() -> list[str]:
    """Return the tables that must have the wall: those of every TenantModel."""
    return sorted(model._meta.db_table for model in apps.get_models() if issubclass(model, TenantModel))


def missing_walls(connection: BaseDatabaseWrapper) -> list[str]:
    """Return the tables whose wall is not in force; on another database than PostgreSQL none is expected."""
    if connection.vendor != "postgresql":
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_policy p ON p.polrelid = c.oid"
            " WHERE c.relrowsecurity AND c.relforcerowsecurity AND p.polname = %s"
            " AND c.relnamespace = current_schema()::regnamespace"
            # A second permissive policy would be a door in the wall.
            " AND (SELECT count(*) FROM pg_policy other WHERE other.polrelid = c.oid) = 1",
            [POLICY],
        )
        walled = {row[0] for row in cursor.fetchall()}
    return [table for table in walled_tables() if table not in walled]


def role_fault(connection: BaseDatabaseWrapper) -> str:
    """Return why the database's role is bound by no wall, or ""."""
    if connection.vendor != "postgresql":
        return ""
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
        is_super, bypasses = cursor.fetchone()
    if is_super:
        return "the database's role is a superuser, whom no row-level security binds"
    return "the database's role has BYPASSRLS" if bypasses else ""
