"""Say what a holder of the key-encryption key does, and find the one that wrapped a given data key.

A provider wraps and unwraps data keys and never gives its own key away. Each wrapped data key remembers the
provider and the version of the key that wrapped it, so that versions and providers can change one data key at
a time.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Protocol

from django.conf import settings

from crypto.errors import KeyUnavailable
from crypto.local_file import LocalFileProvider
from crypto.wrapping import WrappedKey

LOCAL = "local"
KEY_FILE_NAME = "kek.json"


class KeyProvider(Protocol):
    """Hold the key-encryption key.

    Every method may be called from several threads and raises KeyUnavailable.
    """

    @property
    def current_kek_id(self) -> str:
        """Return the version of the key that wraps new data keys."""

    def check(self) -> None:
        """Look afresh whether the key can be had, and take over nothing of what is found."""

    def wrap(self, secret: bytes, *, context: bytes) -> WrappedKey:
        """Return `secret` wrapped by the current version and bound to `context`."""

    def unwrap(self, wrapped: WrappedKey, *, context: bytes) -> bytes:
        """Return the secret; the context must be the one that it was wrapped with."""


def key_file() -> Path:
    """Return where the local provider's key lives."""
    return Path(settings.PORTAL.keys_dir) / KEY_FILE_NAME


def default_provider_id() -> str:
    """Return the id of the provider that wraps new data keys."""
    return LOCAL


def provider_named(provider_id: str) -> KeyProvider:
    """Return the provider that a data key names.

    Raises KeyUnavailable for one that this installation lacks.
    """
    if provider_id != LOCAL:
        raise KeyUnavailable(f"no key provider '{provider_id}' is set up in this installation")
    return _local_provider(key_file())


@lru_cache(maxsize=4)
def _local_provider(path: Path) -> LocalFileProvider:
    return LocalFileProvider(path)
