"""Store personal API tokens: what they may be used for, and a keyed digest of each, never the token."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from common import clock
from tenants.models import TenantModel

LOOKUP_CHARS = 8


class ApiScope(models.TextChoices):
    """What a token may be used for, within what its person may do."""

    PROFILE = "profile.read", _("Read one’s own account")
    MODELS = "models.read", _("List the models")


class ApiToken(TenantModel):
    """One token of one person. `lookup` finds it and is shown; `digest` is an HMAC-SHA256 of the whole, in hex."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=60)
    lookup = models.CharField(max_length=LOOKUP_CHARS, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    expires_at = models.DateTimeField()
    # A day is enough to see that a token is not used any more; the hour would tell when somebody works.
    last_used_on = models.DateField(null=True, editable=False)
    revoked_at = models.DateTimeField(null=True, editable=False)

    class Meta(TenantModel.Meta):
        abstract = False
        ordering = ("-created_at",)
        constraints = (models.UniqueConstraint(fields=("tenant", "lookup"), name="token_lookups_once"),)

    def __str__(self) -> str:
        return str(self.id)

    @property
    def is_valid(self) -> bool:
        """Return whether it is neither revoked nor over."""
        return self.revoked_at is None and self.expires_at > clock.now()
