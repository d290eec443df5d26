"""Hold the one type that passes between key providers and the key ring."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, repr=False)
class WrappedKey:
    """A data key as it may be stored; `kek_id` is the version of the key-encryption key that wrapped it."""

    kek_id: str
    blob: bytes
