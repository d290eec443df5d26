"""Store which model files have been imported."""

from __future__ import annotations

import uuid
from pathlib import Path

from django.conf import settings
from django.db import models

from common import clock


class ModelArtifact(models.Model):
    """An immutable model file, known by its SHA-256; the active one is the one activated last."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    sha256 = models.CharField(max_length=64, unique=True, editable=False)
    size_bytes = models.BigIntegerField(editable=False)
    name = models.CharField(max_length=120)
    architecture = models.CharField(max_length=120)
    quantisation = models.CharField(max_length=16)
    context_tokens = models.PositiveIntegerField()
    licence = models.CharField(max_length=120, blank=True)
    source = models.CharField(max_length=120)
    is_starter = models.BooleanField(default=False)
    imported_at = models.DateTimeField(default=clock.now, editable=False)
    activated_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ("-imported_at",)

    def __str__(self) -> str:
        return f"{self.name} {self.sha256[:12]}"

    @property
    def path(self) -> Path:
        """Return where the file lies: read-only, named by its digest."""
        return Path(settings.PORTAL.models_dir) / f"{self.sha256}.gguf"
