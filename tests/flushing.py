"""Let Django's test runner empty the tables after a transactional test, which the guards forbid."""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.test import TransactionTestCase

from audit import guards as audit_guards
from policy import guards as policy_guards
from registry import guards as registry_guards

_flush: Any = vars(TransactionTestCase)["_fixture_teardown"]


def lift_guards_while_flushing() -> None:
    """Take the guards away for the flush and put them back. Only tests can do this; safe to call twice."""

    def flush(self: TransactionTestCase) -> None:
        for guards in (audit_guards, policy_guards, registry_guards):
            guards.drop_guards(connection)
        try:
            _flush(self)
        finally:
            for guards in (audit_guards, policy_guards, registry_guards):
                guards.create_guards(connection)

    setattr(TransactionTestCase, "_fixture_teardown", flush)  # noqa: B010 - private, so untyped
