"""Keep what happened to each artefact: for the page in words, for the audit log without."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID

from django.db import transaction

from accounts.models import User
from audit.models import Outcome
from audit.services import record_event
from common.errors import NotFound
from registry.errors import ActRefused
from registry.models import EventKind, ModelArtifact, ModelEvent

TIMELINE_LENGTH = 50
MAX_REASON_CHARS = 2000


@dataclass(frozen=True, slots=True)
class TimelineRow:
    """One thing that happened; `account_id` None is the portal or its terminal, `tenant_id` None the installation."""

    at: datetime
    kind: str
    kind_label: str
    artifact: ModelArtifact
    other: ModelArtifact | None
    account_id: UUID | None
    tenant_id: UUID | None
    reason: str


def timeline(
    *, artifact: ModelArtifact | None = None, tenant_id: UUID | None = None, limit: int = TIMELINE_LENGTH
) -> list[TimelineRow]:
    """Return what happened, the newest first: to one artefact, or to all.

    With `tenant_id` without what other organisations decided for themselves; without, everything: for operators.
    """
    events = ModelEvent.objects.select_related("artifact", "other")
    if artifact is not None:
        events = events.filter(artifact=artifact)
    if tenant_id is not None:
        events = events.filter(tenant_id=None) | events.filter(tenant_id=tenant_id)
    return [_row(event) for event in events[:limit]]


@contextmanager
def act(
    kind: EventKind, artifact: ModelArtifact | None, *, by: User | None, tenant_id: UUID | None = None
) -> Iterator[None]:
    """Do an act in one transaction with its audit event; a refusal is recorded too, outside it.

    The event goes to the chain of the person's organisation, or to the platform's.
    """
    chain = tenant_id or (by.tenant_id if by else None)
    actor = by.id if by else None
    digest = artifact.sha256 if artifact else ""
    record = partial(
        record_event,
        action=f"model.{kind}",
        tenant_id=chain,
        actor=actor,
        object_type="model" if digest else "",
        object_id=digest[:12],
        model_digest=digest,
    )
    try:
        with transaction.atomic():
            yield
            record()
    except (ActRefused, NotFound) as error:
        record(outcome=Outcome.REFUSED, status=error.http_status)
        raise


def remember(
    kind: EventKind,
    artifact: ModelArtifact,
    *,
    by: User | None,
    tenant_id: UUID | None = None,
    reason: str = "",
    other: ModelArtifact | None = None,
) -> None:
    """Add a row to the timeline, within the act's transaction."""
    ModelEvent(
        artifact=artifact,
        kind=kind,
        account_id=by.id if by else None,
        tenant_id=tenant_id,
        reason=reason[:MAX_REASON_CHARS],
        other=other,
    ).save(force_insert=True)


def _row(event: ModelEvent) -> TimelineRow:
    return TimelineRow(
        at=event.at,
        kind=event.kind,
        kind_label=str(EventKind(event.kind).label),
        artifact=event.artifact,
        other=event.other,
        account_id=event.account_id,
        tenant_id=event.tenant_id,
        reason=event.reason,
    )
