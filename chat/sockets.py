"""Check, frame by frame, whether a socket may still be used."""

from __future__ import annotations

import time
from dataclasses import dataclass
from uuid import UUID

from accounts.models import User
from accounts.roles import CHAT_USE
from accounts.services import read_live_account
from accounts.sessions import note_session_use
from common.errors import NotFound
from common.threads import in_database_thread
from consent.services import Consented, require_consent
from tenants.scope import tenant_scope

FRESH_S = 2.0
# As exactly as accounts.session_store notes it.
USE_NOTED_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class SocketSession:
    """The session under which a socket was opened."""

    account_id: UUID
    tenant_id: UUID
    session_digest: str
    auth_hash: str


@dataclass(frozen=True, slots=True)
class Cleared:
    """A person who may chat now: account, consent, and when that was looked up."""

    account: User
    consented: Consented
    at: float

    @property
    def is_fresh(self) -> bool:
        """Return whether the check is recent enough for frames that change nothing (`ack`, `ping`)."""
        return time.monotonic() - self.at < FRESH_S


def read_member(session: SocketSession) -> User:
    """Return the account if its session stands and its role chats, in one query.

    For frames that ask for a turn: the pipeline itself then requires consent. Raises SessionEnded and NotFound.
    """
    account = read_live_account(
        account_id=session.account_id, session_digest=session.session_digest, auth_hash=session.auth_hash
    )
    if not account.has_permission(CHAT_USE):
        raise NotFound
    return account


def clear_session(session: SocketSession) -> Cleared:
    """Return who may chat through this socket now, in two queries.

    Raises SessionEnded, NotFound where the role does not chat, or ConsentRequired.
    """
    account = read_member(session)
    with tenant_scope(session.tenant_id):
        return Cleared(account=account, consented=require_consent(account), at=time.monotonic())


aread_member = in_database_thread(read_member)
anote_session_use = in_database_thread(note_session_use)
aclear_session = in_database_thread(clear_session)
