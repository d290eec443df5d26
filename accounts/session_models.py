"""Store sessions: sealed, and under a digest of the key that the browser holds."""

from __future__ import annotations

import hashlib
import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models

from common import clock

DIGEST_DIGITS = 40


class PortalSession(models.Model):
    """One browser's session. Who reads the table can open none: the key is not in it, and what it holds is sealed.

    `digest` stands for the key that the cookie holds; `id` is what people see of it in addresses. `expires_at` is the
    earlier of the idle and the absolute time-out. A session without an account is that of somebody who is signing in.
    """

    digest = models.CharField(primary_key=True, max_length=DIGEST_DIGITS)
    id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="+"
    )
    sealed = models.TextField()
    opened_at = models.DateTimeField(default=clock.now)
    seen_at = models.DateTimeField(default=clock.now)
    expires_at = models.DateTimeField(db_index=True)
    # Whether it began at an identity provider, and not with a password.
    by_provider = models.BooleanField(default=False)
    device = models.CharField(max_length=60, blank=True)
    address = models.CharField(max_length=45, blank=True)

    objects: ClassVar[models.Manager[PortalSession]]

    def __str__(self) -> str:
        return str(self.id)


def digest_of(session_key: str) -> str:
    """Return what stands for a session's key: 160 bits of its SHA-256, from which the key cannot be found."""
    return hashlib.sha256(session_key.encode()).hexdigest()[:DIGEST_DIGITS]
