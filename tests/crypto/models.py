"""A model with the shape of a message: text, tenant, conversation, and a key that is known early."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models

from crypto.fields import SealedTextField
from crypto.scope import CryptoScope


class Note(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    tenant_id = models.UUIDField()
    conversation_id = models.UUIDField(null=True)
    plain = models.TextField(default="", blank=True)
    body = SealedTextField()
    title = SealedTextField(null=True)

    objects: ClassVar[models.Manager[Note]] = models.Manager()

    class Meta:
        app_label = "sealed_tests"
        managed = False

    def __str__(self) -> str:
        return f"note {self.pk}"

    def crypto_scope(self) -> CryptoScope:
        return CryptoScope(self.tenant_id, self.conversation_id)
