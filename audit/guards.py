"""Make the database itself keep the log append-only, with triggers on SQLite and PostgreSQL.

Two rules: an event is never updated, deleted or truncated; an event is inserted only as the direct
continuation of its chain, and the head of the chain moves with it in the same statement. The second rule also
saves the portal a statement per event. Who may drop triggers can get around them; that is what verification,
and `missing_guards`, are for.

A later migration that alters one of the two tables must create the guards again: SQLite rebuilds a table
without its triggers.
"""

from __future__ import annotations

from django.db.backends.base.base import BaseDatabaseWrapper

_SQLITE = {
    "audit_event_continues": """
        CREATE TRIGGER audit_event_continues BEFORE INSERT ON audit_auditevent
        WHEN NOT EXISTS (
            SELECT 1 FROM audit_auditchain
            WHERE tenant_id = NEW.tenant_id AND seq = NEW.seq - 1 AND hash = NEW.prev_hash
        )
        BEGIN SELECT RAISE(ABORT, 'audit event does not continue its chain'); END
    """,
    "audit_event_moves_head": """
        CREATE TRIGGER audit_event_moves_head AFTER INSERT ON audit_auditevent
        BEGIN UPDATE audit_auditchain SET seq = NEW.seq, hash = NEW.hash WHERE tenant_id = NEW.tenant_id; END
    """,
    "audit_event_no_update": """
        CREATE TRIGGER audit_event_no_update BEFORE UPDATE ON audit_auditevent
        BEGIN SELECT RAISE(ABORT, 'audit log is append-only'); END
    """,
    "audit_event_no_delete": """
        CREATE TRIGGER audit_event_no_delete BEFORE DELETE ON audit_auditevent
        BEGIN SELECT RAISE(ABORT, 'audit log is append-only'); END
    """,
    "audit_chain_starts": """
        CREATE TRIGGER audit_chain_starts BEFORE INSERT ON audit_auditchain
        WHEN NEW.seq <> 0 OR NEW.hash <> '0000000000000000000000000000000000000000000000000000000000000000'
        BEGIN SELECT RAISE(ABORT, 'audit chains start empty'); END
    """,
    "audit_chain_moves_on": """
        CREATE TRIGGER audit_chain_moves_on BEFORE UPDATE ON audit_auditchain
        WHEN NEW.tenant_id <> OLD.tenant_id OR NEW.seq <> OLD.seq + 1 OR NOT EXISTS (
            SELECT 1 FROM audit_auditevent
            WHERE tenant_id = NEW.tenant_id AND seq = NEW.seq AND hash = NEW.hash
        )
        BEGIN SELECT RAISE(ABORT, 'audit log is append-only'); END
    """,
    "audit_chain_no_delete": """
        CREATE TRIGGER audit_chain_no_delete BEFORE DELETE ON audit_auditchain
        BEGIN SELECT RAISE(ABORT, 'audit log is append-only'); END
    """,
}

_POSTGRES_FUNCTIONS = """
CREATE OR REPLACE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit log is append-only' USING ERRCODE = '42501';
END $$;

CREATE OR REPLACE FUNCTION audit_event_continues() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM audit_auditchain
        WHERE tenant_id = NEW.tenant_id AND seq = NEW.seq - 1 AND hash = NEW.prev_hash
    ) THEN
        RAISE EXCEPTION 'audit event does not continue its chain' USING ERRCODE = '42501';
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION audit_event_moves_head() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE audit_auditchain SET seq = NEW.seq, hash = NEW.hash WHERE tenant_id = NEW.tenant_id;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION audit_chain_starts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.seq <> 0 OR NEW.hash <> repeat('0', 64) THEN
        RAISE EXCEPTION 'audit chains start empty' USING ERRCODE = '42501';
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION audit_chain_moves_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.tenant_id <> OLD.tenant_id OR NEW.seq <> OLD.seq + 1 OR NOT EXISTS (
        SELECT 1 FROM audit_auditevent
        WHERE tenant_id = NEW.tenant_id AND seq = NEW.seq AND hash = NEW.hash
    ) THEN
        RAISE EXCEPTION 'audit log is append-only' USING ERRCODE = '42501';
    END IF;
    RETURN NEW;
END $$;
"""

_POSTGRES = {
    "audit_event_continues": ("BEFORE INSERT ON audit_auditevent FOR EACH ROW", "audit_event_continues"),
    "audit_event_moves_head": ("AFTER INSERT ON audit_auditevent FOR EACH ROW", "audit_event_moves_head"),
    "audit_event_no_change": ("BEFORE UPDATE OR DELETE ON audit_auditevent FOR EACH ROW", "audit_refuse"),
    "audit_event_no_truncate": ("BEFORE TRUNCATE ON audit_auditevent", "audit_refuse"),
    "audit_chain_starts": ("BEFORE INSERT ON audit_auditchain FOR EACH ROW", "audit_chain_starts"),
    "audit_chain_moves_on": ("BEFORE UPDATE ON audit_auditchain FOR EACH ROW", "audit_chain_moves_on"),
    "audit_chain_no_delete": ("BEFORE DELETE ON audit_auditchain FOR EACH ROW", "audit_refuse"),
    "audit_chain_no_truncate": ("BEFORE TRUNCATE ON audit_auditchain", "audit_refuse"),
}


def create_guards(connection: BaseDatabaseWrapper) -> None:
    """Create every trigger; those that exist are made anew."""
    drop_guards(connection)
    with connection.cursor() as cursor:
        for statement in _statements(connection):
            cursor.execute(statement)


def drop_guards(connection: BaseDatabaseWrapper) -> None:
    """Drop every trigger, to migrate back. Nothing that serves calls this."""
    with connection.cursor() as cursor:
        for name in _names(connection):
            on = f" ON {_table_of(name)}" if connection.vendor == "postgresql" else ""
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}{on}")


def missing_guards(connection: BaseDatabaseWrapper) -> list[str]:
    """Return the names of triggers that are gone or switched off."""
    query = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    if connection.vendor == "postgresql":
        query = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled IN ('O', 'A')"
    with connection.cursor() as cursor:
        cursor.execute(query)
        present = {row[0] for row in cursor.fetchall()}
    return [name for name in _names(connection) if name not in present]


def _names(connection: BaseDatabaseWrapper) -> list[str]:
    return list(_POSTGRES if connection.vendor == "postgresql" else _SQLITE)


def _statements(connection: BaseDatabaseWrapper) -> list[str]:
    if connection.vendor != "postgresql":
        return list(_SQLITE.values())
    triggers = [
        f"CREATE TRIGGER {name} {when} EXECUTE FUNCTION {function}()"
        for name, (when, function) in _POSTGRES.items()
    ]
    return [_POSTGRES_FUNCTIONS, *triggers]


def _table_of(name: str) -> str:
    return "audit_auditevent" if name.startswith("audit_event") else "audit_auditchain"
