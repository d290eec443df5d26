"""Make keys and derive purpose keys: what other apps may ask of this floor besides its fields."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.db.models import Count, Q

from common.clock import now
from crypto.envelope import encode_parts
from crypto.errors import KeyUnavailable
from crypto.keyring import keyring
from crypto.local_file import create_key_file
from crypto.models import DataKey, Usage
from crypto.providers import LOCAL, default_provider_id, key_file, provider_named

PURPOSE_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """Counts of data keys, and the provider that wraps new ones."""

    provider_id: str
    kek_id: str
    in_use: int
    retired: int
    destroyed: int


def create_local_keys() -> bool:
    """Make the local key file where there is none; return whether it was made.

    Raises KeyUnavailable where the file is missing but data keys exist that it wrapped: it must be restored,
    since a new one would open nothing.
    """
    path = key_file()
    if not path.exists() and DataKey.objects.filter(provider_id=LOCAL, destroyed_at__isnull=True).exists():
        raise KeyUnavailable(f"{path} is missing; restore it from its backup, a new key opens nothing")
    return create_key_file(path)


def check_keys() -> None:
    """Raise KeyUnavailable, with one clear line, unless a start from now on could wrap and open data keys.

    Looks afresh: what this process still has in memory does not count.
    """
    provider_named(default_provider_id()).check()


def create_tenant_keys(tenant_id: UUID) -> None:
    """Make a new tenant's keys now, so that its first message does not have to. Safe to repeat.

    Raises KeyDestroyed and KeyUnavailable.
    """
    for usage in Usage:
        keyring.key_in_use(tenant_id, usage)


def destroy_tenant_keys(tenant_id: UUID) -> int:
    """Destroy every data key of a tenant for good, and return how many there were: what they sealed is gone with them.

    The rows stay as tombstones, so no process makes new keys in their place. Safe to repeat. Other processes may still
    have the keys in memory for as long as `keyring.TTL_S`, unless they are told to forget them.
    """
    rows = DataKey.objects.filter(tenant_id=tenant_id, destroyed_at__isnull=True)
    count = rows.update(wrapped=None, destroyed_at=now())
    _leave_tombstones(tenant_id)
    keyring.forget()
    return count


def derive_key(purpose: str, tenant_id: UUID) -> bytes:
    """Return 32 bytes that belong to this purpose and tenant (HKDF-SHA256 over the tenant's deriving key).

    The same for as long as the tenant's deriving key lives: rotating the key-encryption key or the sealing
    keys does not change it. Raises KeyDestroyed and KeyUnavailable.
    """
    key = keyring.key_in_use(tenant_id, Usage.DERIVE)
    info = encode_parts(["purpose key", purpose, str(tenant_id)])
    return HKDF(algorithm=SHA256(), length=PURPOSE_KEY_BYTES, salt=None, info=info).derive(key.secret)


def key_status() -> KeyStatus:
    """Return how many data keys there are and what wraps new ones. Raises KeyUnavailable."""
    destroyed = Q(destroyed_at__isnull=False)
    retired = Q(retired_at__isnull=False)
    counts = DataKey.objects.aggregate(
        in_use=Count("pk", filter=~retired & ~destroyed),
        retired=Count("pk", filter=retired & ~destroyed),
        destroyed=Count("pk", filter=destroyed),
    )
    provider_id = default_provider_id()
    return KeyStatus(provider_id=provider_id, kek_id=provider_named(provider_id).current_kek_id, **counts)


def _leave_tombstones(tenant_id: UUID) -> None:
    """Take the place of keys that were never made, so that none is made any more."""
    for usage in Usage:
        if not DataKey.objects.filter(tenant_id=tenant_id, usage=usage, retired_at__isnull=True).exists():
            DataKey.objects.create(
                tenant_id=tenant_id, usage=usage, destroyed_at=now(), provider_id=LOCAL, kek_id=""
            )
