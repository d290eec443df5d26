"""Name people in the audit log without naming them.

A pseudonym is an HMAC-SHA256 of the account's id under a key that belongs to this purpose and tenant: the
same person is the same throughout one tenant's log, different in another's, and cannot be found by trying out
ids without the key.
"""

from __future__ import annotations

import hashlib
import hmac
from uuid import UUID

from crypto.services import derive_key

PURPOSE = "audit.actor"
SYSTEM = "system"
PREFIX = "u_"
DIGITS = 16


def pseudonym_of(account_id: UUID | None, tenant_id: UUID) -> str:
    """Return `u_` and 16 hexadecimal digits; `system` for none. Raises KeyUnavailable and KeyDestroyed."""
    if account_id is None:
        return SYSTEM
    key = derive_key(PURPOSE, tenant_id)
    return PREFIX + hmac.new(key, account_id.bytes, hashlib.sha256).hexdigest()[:DIGITS]
