"""Record events: the one way into the audit log."""

from __future__ import annotations

from uuid import UUID

from django.db import Error, transaction

from audit.actions import registered
from audit.addresses import kept_address
from audit.chain import hash_of
from audit.errors import AuditUnavailable, ContentRefused
from audit.models import AuditChain, AuditEvent, Outcome, to_microseconds
from audit.pseudonyms import pseudonym_of
from audit.shapes import (
    checked_digest,
    checked_number,
    checked_object,
    checked_status,
    checked_version,
    masked_ip,
)
from common.clock import now
from crypto.errors import KeyDestroyed, KeyUnavailable
from crypto.scope import PLATFORM


def record_event(
    *,
    action: str,
    tenant_id: UUID | None,
    actor: UUID | None,
    object_type: str = "",
    object_id: str = "",
    outcome: str = Outcome.OK,
    status: int = 200,
    duration_ms: int | None = None,
    ip: str | None = None,
    model_digest: str = "",
    policy_version: str = "",
    first_token_ms: int | None = None,
    tokens_in: int | None = None,
    tokens_out: int | None = None,
) -> AuditEvent:
    """Append one event to the tenant's chain (None: the platform's), in the caller's transaction if there is one.

    `actor` is an account's id and is stored as a pseudonym (None: the portal itself); `ip` is stored masked, or not at
    all where the organisation has it so; times are milliseconds; `status` has the meaning that HTTP gives it. Costs two
    statements. A failure dooms the caller's transaction. Raises AuditUnavailable; UnknownAction and ContentRefused,
    before anything is written, for mistakes in the program.
    """
    chain_id = tenant_id or PLATFORM
    kind, identity = checked_object(object_type, object_id)
    event = AuditEvent(
        tenant_id=chain_id,
        action=registered(action).name,
        object_type=kind,
        object_id=identity,
        outcome=_checked_outcome(outcome),
        status=checked_status(status),
        duration_ms=checked_number("duration_ms", duration_ms),
        ip=masked_ip(ip),
        model_digest=checked_digest(model_digest),
        policy_version=checked_version(policy_version),
        first_token_ms=checked_number("first_token_ms", first_token_ms),
        tokens_in=checked_number("tokens_in", tokens_in),
        tokens_out=checked_number("tokens_out", tokens_out),
    )
    try:
        with transaction.atomic(savepoint=False):
            event.actor = pseudonym_of(actor, chain_id)
            event.ip = event.ip and kept_address(event.ip, chain_id=chain_id)
            _append(event)
    except (Error, KeyUnavailable, KeyDestroyed) as error:
        raise AuditUnavailable from error
    return event


def _append(event: AuditEvent) -> None:
    """Insert the event as the next one of its chain; the database moves the head (see audit.guards)."""
    seq, head_hash = _locked_head(event.tenant_id)
    event.seq, event.prev_hash = seq + 1, head_hash
    event.at_us = to_microseconds(now())
    event.hash = hash_of(event.hashed_values())
    event.save(force_insert=True)


def _locked_head(tenant_id: UUID) -> tuple[int, str]:
    """Return the head, locked until the transaction ends; a chain's first event makes it.

    On SQLite the write lock that every transaction takes at its begin stands for the row lock.
    """
    heads = AuditChain.objects.select_for_update().filter(pk=tenant_id).values_list("seq", "hash")
    head = next(iter(heads), None)
    if head is None:
        AuditChain.objects.bulk_create([AuditChain(tenant_id=tenant_id)], ignore_conflicts=True)
        head = heads.get()
    return head


def _checked_outcome(outcome: str) -> Outcome:
    try:
        return Outcome(outcome)
    except ValueError:
        raise ContentRefused("outcome is none of ok, refused, failed") from None
