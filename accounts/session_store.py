"""Keep Django's sessions in our own table: what a session holds is sealed, and its key is only the browser's to know.

A session of somebody who has signed in ends when it was idle for too long, or is too old, whatever happens meanwhile:
unlike Django's own, saving one does not make it last.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import CreateError, SessionBase, UpdateError
from django.db import IntegrityError, transaction

from accounts.rules import Rules
from accounts.session_models import PortalSession, digest_of
from common import clock
from crypto import envelope
from crypto.errors import KeyDestroyed, SealBroken
from crypto.keyring import keyring
from crypto.models import Usage
from crypto.scope import PLATFORM

# Of somebody who has not signed in: long enough for a password and a second factor.
ANONYMOUS_LIFE = timedelta(hours=1)
# How exactly the last use is known; each note of it is a write.
NOTED_EVERY = timedelta(minutes=1)


class SessionStore(SessionBase):
    """Django's interface to a session."""

    _row: PortalSession | None = None

    @property
    def digest(self) -> str:
        """Return what the table knows the session by; "" before it has a key."""
        return digest_of(self.session_key) if self.session_key else ""

    def load(self) -> dict[str, Any]:
        """Return what the session holds; nothing, and no key any more, where it is over or cannot be opened."""
        alive = PortalSession.objects.filter(digest=self.digest, expires_at__gt=clock.now())
        self._row = alive.first()
        held = _unseal(self._row) if self._row is not None else None
        if held is None:
            self._row, self._session_key = None, None
            return {}
        return cast(dict[str, Any], self.serializer().loads(held))

    def exists(self, session_key: str) -> bool:
        """Return whether there is a session with this key."""
        return PortalSession.objects.filter(digest=digest_of(session_key)).exists()

    def create(self) -> None:
        """Begin anew under a random key. Raises CreateError; a key of 165 random bits is never taken."""
        self._session_key = self._get_new_session_key()  # type: ignore[attr-defined]
        self.save(must_create=True)
        self.modified = True

    def save(self, must_create: bool = False) -> None:  # noqa: FBT001, FBT002 (Django's signature)
        """Write what the session holds. Raises CreateError for a key that is taken, UpdateError for one that ended."""
        if self.session_key is None:
            self.create()
            return
        held = cast(dict[str, Any], self._get_session(no_load=must_create))  # type: ignore[attr-defined]
        sealed = _seal(self.serializer().dumps(held), self.digest)
        account_id = held.get(SESSION_KEY)
        if must_create:
            self._insert(sealed, account_id)
        elif not self._alive().update(sealed=sealed, account_id=account_id):
            raise UpdateError

    def cycle_key(self) -> None:
        """Go on under a new key, which the browser gets; nothing else of a signed-in session changes, nor its times."""
        held = cast(dict[str, Any], self._get_session())  # type: ignore[attr-defined]
        before = self._row
        if before is None or before.account_id is None:
            super().cycle_key()
            return
        self._session_key = self._get_new_session_key()  # type: ignore[attr-defined]
        sealed = _seal(self.serializer().dumps(held), self.digest)
        rows = PortalSession.objects.filter(digest=before.digest)
        if not rows.update(digest=self.digest, sealed=sealed):
            self._insert(sealed, held.get(SESSION_KEY), before=before)
        self._row = PortalSession.objects.filter(digest=self.digest).first()
        self.modified = True

    def begin(
        self, *, account_id: Any, rules: Rules, device: str, address: str, by_provider: bool = False
    ) -> None:
        """Note that somebody has just signed in with this session: from now on both time-outs run."""
        self.save()
        now = clock.now()
        expires_at = now + min(rules.idle, rules.lifetime)
        fields = {
            "device": device,
            "address": address,
            "opened_at": now,
            "seen_at": now,
            "by_provider": by_provider,
        }
        self._alive().update(account_id=account_id, expires_at=expires_at, **fields)
        self._row = PortalSession.objects.filter(digest=self.digest).first()

    @property
    def id(self) -> UUID | None:
        """Return what stays the same of a signed-in session when its key changes."""
        return self._row.id if self._row is not None else None

    @property
    def is_by_provider(self) -> bool:
        """Return whether the session began at an identity provider."""
        return self._row is not None and self._row.by_provider

    def note_use(self, rules: Rules) -> None:
        """Note that the session was used just now; the rules may have changed since it began."""
        if self._row is not None and self._row.account_id is not None:
            note_use(self._row, rules)

    def delete(self, session_key: str | None = None) -> None:
        """End a session, by default this one."""
        key = session_key or self.session_key
        if key:
            PortalSession.objects.filter(digest=digest_of(key)).delete()
        if key == self.session_key:
            self._row = None

    @classmethod
    def clear_expired(cls) -> None:
        """Delete the sessions that are over."""
        PortalSession.objects.filter(expires_at__lte=clock.now()).delete()

    def _alive(self) -> Any:
        return PortalSession.objects.filter(digest=self.digest, expires_at__gt=clock.now())

    def _insert(self, sealed: str, account_id: Any, *, before: PortalSession | None = None) -> None:
        """Write a new row; where it takes the place of one that is gone, its times go on."""
        now = clock.now()
        row = PortalSession(
            digest=self.digest, sealed=sealed, account_id=account_id, expires_at=now + ANONYMOUS_LIFE
        )
        if before is not None and str(before.account_id) == account_id:
            for name in ("id", "opened_at", "seen_at", "expires_at", "by_provider", "device", "address"):
                setattr(row, name, getattr(before, name))
        try:
            with transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError:
            raise CreateError from None
        self._row = row


def note_use(row: PortalSession, rules: Rules) -> None:
    """Note a use, at most once a minute; where the rules have become stricter, the session is shortened at once."""
    now = clock.now()
    expires_at = min(row.opened_at + rules.lifetime, now + rules.idle)
    if now - row.seen_at < NOTED_EVERY and expires_at >= row.expires_at - NOTED_EVERY:
        return
    PortalSession.objects.filter(digest=row.digest).update(seen_at=now, expires_at=expires_at)
    row.seen_at, row.expires_at = now, expires_at


def _place(digest: str) -> tuple[str, str]:
    return ("session", digest)


def _seal(held: bytes, digest: str) -> str:
    key = keyring.key_in_use(PLATFORM, Usage.SEAL)
    return envelope.seal(key.cipher, key_id=key.key_id, clear=held, place=_place(digest))


def _unseal(row: PortalSession) -> bytes | None:
    """Return what a session holds, or None where it was changed, or its key is destroyed. Raises KeyUnavailable."""
    try:
        parsed = envelope.parse(row.sealed)
        key = keyring.key_by_id(parsed.key_id, PLATFORM)
        return envelope.unseal(key.cipher, parsed, place=_place(row.digest))
    except (SealBroken, KeyDestroyed):
        return None
