"""Store what an administrator wants to import, how far it is, and what makes its list of first passwords."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from common import clock
from tenants.models import TenantModel


class ImportState(models.TextChoices):
    """How far an import is."""

    READY = "ready", _("Checked, not begun")
    RUNNING = "running", _("Running")
    STOPPED = "stopped", _("Stopped")
    DONE = "done", _("Done")


class AccountImport(TenantModel):
    """One import. `rows` are lists of line, login, name, department, role; `position` is how many are dealt with.

    `salt` makes, with the organisation's key, the temporary passwords of this import anew for its list; it is gone
    with the row once the list was taken.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    by = models.UUIDField()
    way = models.CharField(max_length=12)
    state = models.CharField(max_length=8, choices=ImportState.choices, default=ImportState.READY)
    rows = models.JSONField()
    total = models.PositiveIntegerField()
    position = models.PositiveIntegerField(default=0)
    created = models.PositiveIntegerField(default=0)
    salt = models.CharField(max_length=64)
    stop_requested = models.BooleanField(default=False)
    made_at = models.DateTimeField(default=clock.now)
    beat_at = models.DateTimeField(default=clock.now)

    class Meta(TenantModel.Meta):
        abstract = False
        ordering = ("-made_at",)

    def __str__(self) -> str:
        return str(self.id)
