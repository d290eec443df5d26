"""Store which sessions came from which provider, and what was used once."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models

from accounts.provider_models import IdentityProvider
from common import clock
from tenants.models import TenantModel


class ProviderSession(TenantModel):
    """A session here that began at a provider, and that the provider can end.

    `mark` is the digest of what the provider will name it by: the CAS ticket, or the session id of OpenID Connect;
    "" where there is none. The session itself is known by the id that stays when its key changes.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    provider = models.ForeignKey(IdentityProvider, on_delete=models.CASCADE, related_name="+")
    account = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    session_key = models.CharField(max_length=40, db_index=True)
    mark = models.CharField(max_length=64, blank=True, db_index=True)
    began_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta(TenantModel.Meta):
        abstract = False

    def __str__(self) -> str:
        return str(self.id)


class SpentToken(TenantModel):
    """A ticket or token that a provider issued for one use, by its digest; kept until it would be too old anyway."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    provider = models.ForeignKey(IdentityProvider, on_delete=models.CASCADE, related_name="+")
    mark = models.CharField(max_length=64)
    until = models.DateTimeField(db_index=True)

    class Meta(TenantModel.Meta):
        abstract = False
        constraints = (
            models.UniqueConstraint(fields=("provider", "mark"), name="tokens_spent_once_per_provider"),
        )

    def __str__(self) -> str:
        return str(self.id)
