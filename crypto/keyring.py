"""Give out data keys: made at the first use, unwrapped once, cached for a while.

A cached key is used for at most TTL_S seconds without a look at the database, so a key that another process
destroyed or replaced is out of use everywhere after that time; `forget()` empties this process's cache at
once.

A key made inside a transaction is not cached before that transaction commits: after a rollback the key is
gone, and nothing may be sealed with it any more.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db import IntegrityError, transaction

from crypto.envelope import encode_parts
from crypto.errors import KeyDestroyed, SealBroken
from crypto.models import DataKey, Usage
from crypto.providers import default_provider_id, provider_named
from crypto.wrapping import WrappedKey

TTL_S = 300.0
CACHED_KEYS = 1024
DATA_KEY_BITS = 256

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class ExpiringCache(Generic[K, V]):
    """Keep up to `size` values for `ttl_s` seconds; the least recently used one goes first. Thread-safe."""

    def __init__(self, *, size: int, ttl_s: float) -> None:
        self._size = size
        self._ttl_s = ttl_s
        self._lock = threading.Lock()
        self._entries: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def get(self, key: K) -> V | None:
        """Return the value, or None when it is absent or too old."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            if entry[0] < time.monotonic():
                del self._entries[key]
                return None
            self._entries.move_to_end(key)
            return entry[1]

    def put(self, key: K, value: V) -> None:
        """Keep a value, from now on for the whole time to live."""
        with self._lock:
            self._entries[key] = (time.monotonic() + self._ttl_s, value)
            self._entries.move_to_end(key)
            if len(self._entries) > self._size:
                self._entries.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()


@dataclass(frozen=True, slots=True, repr=False)
class LoadedKey:
    """An unwrapped data key. It has no text form, so that no log can show it."""

    key_id: str
    tenant_id: UUID
    usage: Usage
    secret: bytes
    cipher: AESGCM


class Keyring:
    """Find, make and unwrap data keys. Thread-safe; every method may ask the database."""

    def __init__(self, *, size: int = CACHED_KEYS, ttl_s: float = TTL_S) -> None:
        self._by_id: ExpiringCache[str, LoadedKey] = ExpiringCache(size=size, ttl_s=ttl_s)
        self._in_use: ExpiringCache[tuple[UUID, Usage], LoadedKey] = ExpiringCache(size=size, ttl_s=ttl_s)
        self._uncommitted: set[str] = set()

    def key_in_use(self, tenant_id: UUID, usage: Usage) -> LoadedKey:
        """Return the tenant's key for new values, made if there is none.

        Raises KeyDestroyed where the tenant's key was destroyed: no new one takes its place. Raises
        KeyUnavailable.
        """
        cached = self._in_use.get((tenant_id, usage))
        if cached is not None:
            return cached
        row = _row_in_use(tenant_id, usage) or self._make(tenant_id, usage)
        loaded = self._load(row)
        if row.id not in self._uncommitted:
            self._in_use.put((tenant_id, usage), loaded)
        return loaded

    def key_by_id(self, key_id: str, tenant_id: UUID) -> LoadedKey:
        """Return the key that sealed a value of this tenant.

        Raises SealBroken for an unknown key, another tenant's or one that seals nothing; KeyDestroyed;
        KeyUnavailable.
        """
        loaded = self._by_id.get(key_id) or self._load_by_id(key_id)
        if loaded.tenant_id != tenant_id or loaded.usage is not Usage.SEAL:
            raise SealBroken
        return loaded

    def forget(self) -> None:
        """Empty the cache, after keys were rotated or destroyed."""
        self._by_id.clear()
        self._in_use.clear()

    def _load_by_id(self, key_id: str) -> LoadedKey:
        row = DataKey.objects.filter(pk=key_id).first()
        if row is None:
            raise SealBroken
        return self._load(row)

    def _load(self, row: DataKey) -> LoadedKey:
        if row.wrapped is None:
            raise KeyDestroyed
        wrapped = WrappedKey(row.kek_id, bytes(row.wrapped))
        secret = provider_named(row.provider_id).unwrap(wrapped, context=_context(row))
        loaded = LoadedKey(row.id, row.tenant_id, Usage(row.usage), secret, AESGCM(secret))
        if row.id not in self._uncommitted:
            self._by_id.put(row.id, loaded)
        return loaded

    def _make(self, tenant_id: UUID, usage: Usage) -> DataKey:
        """Make the tenant's key.

        Where another process was faster, the constraint stops us and we take its key.
        """
        row = DataKey(tenant_id=tenant_id, usage=usage, provider_id=default_provider_id())
        secret = AESGCM.generate_key(DATA_KEY_BITS)
        wrapped = provider_named(row.provider_id).wrap(secret, context=_context(row))
        row.kek_id, row.wrapped = wrapped.kek_id, wrapped.blob
        self._uncommitted.add(row.id)
        try:
            with transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError:
            self._uncommitted.discard(row.id)
            winner = _row_in_use(tenant_id, usage)
            if winner is None:
                raise
            return winner
        transaction.on_commit(lambda: self._uncommitted.discard(row.id))
        return row


def _row_in_use(tenant_id: UUID, usage: Usage) -> DataKey | None:
    return DataKey.objects.filter(tenant_id=tenant_id, usage=usage, retired_at__isnull=True).first()


def _context(row: DataKey) -> bytes:
    """Bind a wrapped key to its row, so that one tenant's key cannot be put in another tenant's row."""
    return encode_parts(["data key", row.id, str(row.tenant_id), row.usage])


keyring = Keyring()
