"""Verify chains: recompute every hash from the stored rows and compare what is there with what must be.

Runs in constant memory while others write: the head is read before and after, and writers move it together
with each event. What it notices: a changed, removed, swapped, inserted or moved row, a cut tail, a lost head.
What it cannot notice alone: a chain that was cut and whose head was set back to match, by somebody who
dropped the triggers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import models
from django.utils.translation import gettext_lazy as _

from audit.chain import GENESIS, HASHED_FIELDS, Value, hash_of
from audit.models import AuditChain, AuditEvent
from common.clock import now

CHUNK = 2000
PROGRESS_STEP = 500
_SEQ = HASHED_FIELDS.index("seq")

Progress = Callable[[int], None]


class Reason(models.TextChoices):
    """Why a chain does not verify."""

    NONE = "", ""
    ALTERED = "altered", _("The stored event does not match its hash.")
    UNLINKED = "unlinked", _("The event does not continue the one before.")
    GAP = "gap", _("An event is missing.")
    TRUNCATED = "truncated", _("The last events are missing.")
    BEYOND_HEAD = "beyond_head", _("There are events after the end of the chain.")
    HEAD_MISMATCH = "head_mismatch", _("The end of the chain does not match its last event.")
    HEAD_MISSING = "head_missing", _("The end of the chain was removed.")


@dataclass(frozen=True, slots=True)
class Verification:
    """What a verification found. `count` is the number of events before the first bad one, or of all."""

    tenant_id: UUID
    ok: bool
    count: int
    first_bad_seq: int | None
    reason: Reason
    checked_at: datetime


@dataclass(frozen=True, slots=True)
class _Fault:
    """The first thing that is wrong."""

    seq: int
    reason: Reason


@dataclass(slots=True)
class _Walk:
    """How far a verification has come."""

    seq: int = 0
    hash: str = GENESIS
    hash_at_head: str = GENESIS


def verify_chain(tenant_id: UUID, *, progress: Progress | None = None) -> Verification:
    """Verify one chain from its first event to its last; `progress` is told how many events were read since."""
    head = AuditChain.objects.filter(pk=tenant_id).first()
    walk = _Walk()
    fault = _walk_events(tenant_id, walk, head_seq=head.seq if head else 0, progress=progress)
    fault = fault or _compare_with_head(tenant_id, walk, head=head)
    verification = Verification(
        tenant_id=tenant_id,
        ok=fault is None,
        count=walk.seq if fault is None else fault.seq - 1,
        first_bad_seq=fault.seq if fault else None,
        reason=fault.reason if fault else Reason.NONE,
        checked_at=now(),
    )
    _latest.put(verification)
    return verification


def latest_verification(tenant_id: UUID) -> Verification | None:
    """Return what this process found last, if it verified this chain at all."""
    return _latest.get(tenant_id)


def chain_length(tenant_id: UUID) -> int:
    """Return how many events the head of the chain stands for."""
    head = AuditChain.objects.filter(pk=tenant_id).first()
    return head.seq if head else 0


def chain_ids() -> list[UUID]:
    """Return the chains that have a head or events, so that a lost head hides nothing."""
    heads = set(AuditChain.objects.values_list("tenant_id", flat=True))
    return sorted(heads.union(AuditEvent.objects.values_list("tenant_id", flat=True).distinct()))


def _walk_events(tenant_id: UUID, walk: _Walk, *, head_seq: int, progress: Progress | None) -> _Fault | None:
    stored = _stored(tenant_id)
    while True:
        try:
            row = next(stored, None)
        except (ValueError, TypeError):  # a number or an id that is none any more
            return _Fault(walk.seq + 1, Reason.ALTERED)
        if row is None:
            return None
        values, stored_hash = row
        fault = _fault_of(values, stored_hash, walk)
        if fault is not None:
            return fault
        walk.seq, walk.hash = walk.seq + 1, stored_hash
        if walk.seq == head_seq:
            walk.hash_at_head = stored_hash
        if progress is not None and walk.seq % PROGRESS_STEP == 0:
            progress(PROGRESS_STEP)


def _stored(tenant_id: UUID) -> Iterator[tuple[list[Value], str]]:
    rows = AuditEvent.objects.filter(tenant_id=tenant_id).order_by("seq")
    for row in rows.values_list(*HASHED_FIELDS[1:], "hash").iterator(chunk_size=CHUNK):
        yield [str(tenant_id), *row[:-1]], row[-1]


def _fault_of(values: list[Value], stored_hash: str, walk: _Walk) -> _Fault | None:
    seq = walk.seq + 1
    if values[_SEQ] != seq:
        return _Fault(seq, Reason.GAP)
    try:
        computed = hash_of(values)
    except TypeError:
        return _Fault(seq, Reason.ALTERED)
    if computed != stored_hash:
        return _Fault(seq, Reason.ALTERED)
    if values[-1] != walk.hash:
        return _Fault(seq, Reason.UNLINKED)
    return None


def _compare_with_head(tenant_id: UUID, walk: _Walk, *, head: AuditChain | None) -> _Fault | None:
    if head is None and walk.seq == 0:
        return None
    if head is None:
        # Events and the first head appear in one commit: only a second look tells "new" from "removed".
        head = AuditChain.objects.filter(pk=tenant_id).first()
        return None if head else _Fault(walk.seq + 1, Reason.HEAD_MISSING)
    if walk.seq < head.seq:
        return _Fault(walk.seq + 1, Reason.TRUNCATED)
    if walk.hash_at_head != head.hash:
        return _Fault(max(head.seq, 1), Reason.HEAD_MISMATCH)
    head_now = AuditChain.objects.filter(pk=tenant_id).first()
    if head_now is None:
        return _Fault(walk.seq + 1, Reason.HEAD_MISSING)
    return _Fault(head_now.seq + 1, Reason.BEYOND_HEAD) if walk.seq > head_now.seq else None


class _Latest:
    """Keep the latest result per chain in this process; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_tenant: dict[UUID, Verification] = {}

    def put(self, verification: Verification) -> None:
        """Keep a result in place of the chain's earlier one."""
        with self._lock:
            self._by_tenant[verification.tenant_id] = verification

    def get(self, tenant_id: UUID) -> Verification | None:
        """Return the chain's latest result."""
        with self._lock:
            return self._by_tenant.get(tenant_id)


_latest = _Latest()
