"""Begin sessions, list them, and end one's own: one, or all others (accounts.administration ends somebody else's).

Whatever ends a session also closes its sockets and stops the turns that it began, within a second, and leaves the
person's other sessions alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest

from accounts.devices import device_of
from accounts.live import end_live_session
from accounts.lockout import request_ip
from accounts.models import User
from accounts.rules import rules_for
from accounts.session_models import PortalSession
from accounts.session_store import SessionStore, note_use
from accounts.stages import came_by_provider
from audit.services import record_event
from audit.shapes import masked_ip
from common import clock
from common.errors import NotFound


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session that somebody has open; `address` is masked, "" where it is unknown, as `device` may be."""

    id: UUID
    device: str
    address: str
    opened_at: datetime
    seen_at: datetime
    is_current: bool


@transaction.atomic
def begin_session(request: HttpRequest, account: User) -> None:
    """Note who has just signed in with the request's session; where that is one too many, the oldest ones end."""
    rules = rules_for(account)
    User.objects.select_for_update(of=("self",)).get(pk=account.pk)  # one sign-in after the other
    session = cast(SessionStore, request.session)
    session.begin(
        account_id=account.pk,
        rules=rules,
        device=device_of(request.META.get("HTTP_USER_AGENT", "")),
        address=masked_ip(request_ip(request)),
        by_provider=came_by_provider(request, account),
    )
    PortalSession.objects.filter(expires_at__lte=clock.now()).delete()
    others = PortalSession.objects.filter(account=account).exclude(digest=session.digest)
    for row in others.order_by("-opened_at")[rules.most_sessions - 1 :]:
        _end(row, account)


def sessions_of(account: User, *, current: str = "") -> list[OpenSession]:
    """Return what an account has open, the current one (by its digest) first, then the last used."""
    rows = PortalSession.objects.filter(account=account, expires_at__gt=clock.now()).order_by("-seen_at")
    shown = [
        OpenSession(
            id=row.id,
            device=row.device,
            address=row.address,
            opened_at=row.opened_at,
            seen_at=row.seen_at,
            is_current=row.digest == current,
        )
        for row in rows.defer("sealed")
    ]
    return sorted(shown, key=lambda session: not session.is_current)


@transaction.atomic
def end_own_session(account: User, session_id: UUID) -> None:
    """End one of one's own sessions. Raises NotFound for any other."""
    row = PortalSession.objects.filter(account=account, id=session_id).first()
    if row is None:
        raise NotFound
    _end(row, account)


@transaction.atomic
def end_other_sessions(account: User, *, current: str) -> int:
    """End all of one's own sessions but the current one (by its digest), and return how many there were."""
    rows = list(PortalSession.objects.filter(account=account).exclude(digest=current))
    for row in rows:
        _end(row, account)
    return len(rows)


def close_sessions(session_ids: Iterable[UUID]) -> None:
    """End these sessions, in the caller's transaction and with the caller's event."""
    rows = PortalSession.objects.filter(id__in=list(session_ids), account__isnull=False)
    for digest, account_id in list(rows.values_list("digest", "account_id")):
        PortalSession.objects.filter(digest=digest).delete()
        end_live_session(account_id, digest)


def note_session_use(digest: str, account: User) -> None:
    """Keep a session that a socket is used with from its idle time-out. In a database thread."""
    row = PortalSession.objects.filter(digest=digest).first()
    if row is not None:
        note_use(row, rules_for(account))


def _end(row: PortalSession, account: User) -> None:
    digest = row.digest
    row.delete()
    end_live_session(account.pk, digest)
    record_event(
        action="auth.session_ended",
        tenant_id=account.tenant_id,
        actor=account.pk,
        object_type="account",
        object_id=str(account.pk),
    )
