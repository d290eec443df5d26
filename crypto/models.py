"""Store data keys, wrapped by the key-encryption key; an unwrapped key is never written."""

from __future__ import annotations

import secrets

from django.db import models
from django.db.models import Q

from common.clock import now

KEY_ID_LENGTH = 16


def new_key_id() -> str:
    """Return a random id; it stands in every envelope, in the clear."""
    return secrets.token_hex(KEY_ID_LENGTH // 2)


class Usage(models.TextChoices):
    """What a data key is for.

    One that seals can be replaced at any time, one that derives must stay the same.
    """

    SEAL = "seal"
    DERIVE = "derive"


class DataKey(models.Model):
    """A tenant's data key, wrapped.

    One row per tenant and usage is in use (`retired_at` empty). A destroyed key keeps its row as a tombstone,
    and keeps its place: the same constraint that allows one key in use then stops any process from making a
    new one.
    """

    id = models.CharField(primary_key=True, max_length=KEY_ID_LENGTH, default=new_key_id, editable=False)
    tenant_id = models.UUIDField()
    usage = models.CharField(max_length=8, choices=Usage.choices)
    provider_id = models.CharField(max_length=32)
    kek_id = models.CharField(max_length=64)
    wrapped = models.BinaryField(null=True)
    created_at = models.DateTimeField(default=now)
    retired_at = models.DateTimeField(null=True)
    destroyed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["tenant_id", "usage"],
                condition=Q(retired_at__isnull=True),
                name="crypto_one_key_in_use",
            ),
            models.CheckConstraint(
                condition=Q(destroyed_at__isnull=True, wrapped__isnull=False)
                | Q(destroyed_at__isnull=False, wrapped__isnull=True),
                name="crypto_destroyed_is_empty",
            ),
        )

    def __str__(self) -> str:
        return f"data key {self.id}"
