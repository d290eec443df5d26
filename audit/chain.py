"""Compute the hash chain. Pure, and simple enough to be written again in any language by whoever wants to
check us.

The hash of an event is SHA-256 over the UTF-8 bytes of a JSON array without spaces and with non-ASCII
escaped: the string "portal-audit-1", then the event's values in the order of HASHED_FIELDS. The last of them
is the hash of the event before, 64 zeros for the first one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

FORMAT = "portal-audit-1"
GENESIS = "0" * 64

HASHED_FIELDS = (
    "tenant_id",
    "seq",
    "at_us",
    "actor",
    "action",
    "object_type",
    "object_id",
    "outcome",
    "status",
    "duration_ms",
    "ip",
    "model_digest",
    "policy_version",
    "first_token_ms",
    "tokens_in",
    "tokens_out",
    "prev_hash",
)

Value = str | int | None


def canonical(values: Sequence[Value]) -> bytes:
    """Return the bytes that stand for these values, in the order of HASHED_FIELDS, and for no others.

    Raises TypeError where a value is neither text, number nor null: such a row was not written by the portal.
    """
    return json.dumps([FORMAT, *values], ensure_ascii=True, separators=(",", ":")).encode()


def hash_of(values: Sequence[Value]) -> str:
    """Return the event's hash, 64 hexadecimal digits."""
    return hashlib.sha256(canonical(values)).hexdigest()
