"""Tell PostgreSQL in whose name each statement is made, so that its row-level security can be the second wall.

`app.tenant` is set for the transaction only, in the same visit to the database as the statement: neither a pool nor
another task can inherit it. A statement outside a transaction gets one of its own while a scope is open. Without a
scope nothing is set, and tables behind the wall (tenants.walls) look empty and take no row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.db.backends.postgresql import base

from tenants.scope import scoped_tenant_id

Execute = Callable[[Any, Any, bool, Any], Any]


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's PostgreSQL, with the scope's tenant in `app.tenant`.

    `_told` is what the open transaction was last told, "" for nothing and None where that is not known.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._told: str | None = ""
        self._is_going_back = False
        self.execute_wrappers.append(self._execute_in_scope)

    def connect(self) -> None:
        """Begin with nothing told."""
        self._told = ""
        super().connect()

    def _commit(self) -> None:
        super()._commit()  # type: ignore[misc]  # not in the stubs
        self._told = ""

    def _rollback(self) -> None:
        super()._rollback()  # type: ignore[misc]  # not in the stubs
        self._told = ""

    def _savepoint_rollback(self, sid: str) -> None:
        """Go back, which takes back what was told since; the transaction may be broken and take nothing before."""
        self._is_going_back = True
        try:
            super()._savepoint_rollback(sid)  # type: ignore[misc]  # not in the stubs
        finally:
            self._is_going_back = False
            self._told = None

    def _execute_in_scope(self, execute: Execute, sql: Any, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001 (Django's form)
        tenant = str(scoped_tenant_id() or "")
        if self._is_going_back or (not tenant and not self.in_atomic_block):
            return execute(sql, params, many, context)
        if self.in_atomic_block:
            self._tell(tenant)
            return execute(sql, params, many, context)
        with transaction.atomic(using=self.alias):
            self._tell(tenant)
            return execute(sql, params, many, context)

    def _tell(self, tenant: str) -> None:
        if tenant == self._told:
            return
        self.validate_no_broken_transaction()
        with self.wrap_database_errors, self.connection.cursor() as cursor:
            cursor.execute("SELECT set_config('app.tenant', %s, true)", [tenant])
        self._told = tenant
