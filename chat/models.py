"""Store conversations, sealed: neither titles nor messages can be read from the database."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from common import clock
from crypto.fields import SealedTextField
from crypto.scope import CryptoScope
from tenants.models import TenantModel

TITLE_CHARS = 80


class Author(models.TextChoices):
    """Who said it."""

    PERSON = "me", _("You")
    MODEL = "ai", _("Assistant")


class Status(models.TextChoices):
    """How a message stands; a person's own are always complete."""

    RUNNING = "running", _("Being written")
    COMPLETE = "complete", _("Complete")
    STOPPED = "stopped", _("Stopped")
    LENGTH = "length", _("Cut at the length limit")
    BLOCKED = "blocked", _("Withdrawn")
    TIMEOUT = "timeout", _("Timed out")
    FAILED = "failed", _("Failed")
    INTERRUPTED = "interrupted", _("Interrupted")


class Conversation(TenantModel):
    """One person's conversation with the model."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    title = SealedTextField()
    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta(TenantModel.Meta):
        abstract = False
        ordering = ("-updated_at",)
        indexes = (models.Index(fields=("owner", "-updated_at"), name="conversations_of_a_person"),)

    def __str__(self) -> str:
        return str(self.id)

    def crypto_scope(self) -> CryptoScope:
        """Bind the title to its tenant and this conversation."""
        return CryptoScope(tenant_id=self.tenant_id, container_id=self.id)


class Message(TenantModel):
    """One message. Question and answer share an `exchange`; an answer that was asked for anew joins it later, and
    replaces the older one once it is there."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="messages")
    exchange = models.UUIDField(editable=False)
    position = models.PositiveIntegerField()
    author = models.CharField(max_length=2, choices=Author.choices)
    status = models.CharField(max_length=12, choices=Status.choices)
    body = SealedTextField()
    reason = models.CharField(max_length=32, blank=True)
    model_name = models.CharField(max_length=120, blank=True)
    model_digest = models.CharField(max_length=64, blank=True)
    prompt_tokens = models.PositiveIntegerField(null=True)
    completion_tokens = models.PositiveIntegerField(null=True)
    first_token_ms = models.PositiveIntegerField(null=True)
    tokens_per_second = models.FloatField(null=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta(TenantModel.Meta):
        abstract = False
        ordering = ("position", "created_at")
        indexes = (
            models.Index(fields=("conversation", "position"), name="messages_of_a_conversation"),
            models.Index(
                fields=("status",), name="messages_being_written", condition=models.Q(status="running")
            ),
        )

    def __str__(self) -> str:
        return str(self.id)

    def crypto_scope(self) -> CryptoScope:
        """Bind the words to their tenant and conversation."""
        return CryptoScope(tenant_id=self.tenant_id, container_id=self.conversation_id)
