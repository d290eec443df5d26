"""Commit an act and its event together, and record a refusal by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from uuid import UUID

from django.db import transaction

from accounts.errors import ChangeRefused
from audit.models import Outcome
from audit.services import record_event
from common.errors import NotFound


@contextmanager
def recorded(
    action: str, *, by: UUID | None, chain: UUID | None, object_type: str, object_id: UUID | None
) -> Iterator[None]:
    """Commit what is done together with its event; record a refusal by itself."""
    record = partial(
        record_event,
        action=action,
        tenant_id=chain,
        actor=by,
        object_type=object_type if object_id else "",
        object_id=str(object_id or ""),
    )
    try:
        with transaction.atomic():
            yield
            record()
    except (NotFound, ChangeRefused) as error:
        record(outcome=Outcome.REFUSED, status=error.http_status)
        raise
