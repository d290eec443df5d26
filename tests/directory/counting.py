"""A password hasher that counts how often it works."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.hashers import MD5PasswordHasher


class CountingHasher(MD5PasswordHasher):
    """MD5, counted."""

    count = 0

    def encode(self, *args: Any, **kwargs: Any) -> str:
        """Hash, and count."""
        CountingHasher.count += 1
        return str(super().encode(*args, **kwargs))
