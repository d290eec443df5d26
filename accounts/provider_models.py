"""Store where an organisation's people may come from, and who of them is which account."""

from __future__ import annotations

import json
import uuid
from typing import Any, cast

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.role_mapping import RoleMapping
from accounts.roles import Role
from common import clock
from crypto.fields import SealedTextField
from crypto.scope import CryptoScope
from tenants.managers import check_tenant
from tenants.models import CODE_PATTERN, TenantModel

MAX_SUBJECT_CHARS = 255


class ProviderKind(models.TextChoices):
    """How a provider is spoken to."""

    LDAP = "ldap", _("LDAP directory")
    CAS = "cas", "CAS"
    OIDC = "oidc", "OpenID Connect"


class Origin(models.TextChoices):
    """Who keeps a provider's settings; what the installation's settings say is only read in the console."""

    CONSOLE = "console", _("Console")
    SETTINGS = "settings", _("Settings file")


class Linkage(models.TextChoices):
    """How an identity came to its account."""

    ARRIVED = "arrived", _("At the first sign-in")
    ADMIN = "admin", _("By an administrator")
    SELF = "self", _("By the person")


class IdentityProvider(TenantModel):
    """One way in for one organisation: a directory, a CAS server, an OpenID provider.

    `code` names it in addresses and never changes. `settings` is what accounts.provider_kinds let through; secrets are
    sealed and never shown again. Only the services of accounts.providers write here.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    code = models.CharField(max_length=32, validators=[RegexValidator(CODE_PATTERN)])
    kind = models.CharField(max_length=8, choices=ProviderKind.choices)
    name = models.CharField(max_length=80)
    settings = models.JSONField(default=dict, blank=True)
    sealed_secrets = SealedTextField(default="{}", editable=False)
    is_enabled = models.BooleanField(default=False)
    role_mapping = models.JSONField(default=list, blank=True)
    default_role = models.CharField(max_length=16, blank=True, choices=[(Role.MEMBER, Role.MEMBER.label)])
    position = models.PositiveSmallIntegerField(default=0)
    origin = models.CharField(max_length=8, choices=Origin.choices, default=Origin.CONSOLE, editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    changed_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta(TenantModel.Meta):
        abstract = False
        ordering = ("position", "code")
        constraints = (
            models.UniqueConstraint(fields=("tenant", "code"), name="provider_codes_once_per_tenant"),
        )

    def __str__(self) -> str:
        return self.code

    def crypto_scope(self) -> CryptoScope:
        """Bind the secrets to their tenant and this row."""
        return CryptoScope(tenant_id=self.tenant_id, container_id=self.id)

    def secret(self, name: str) -> str:
        """Return a secret, or "". In synchronous code only. Raises SealBroken, KeyDestroyed and KeyUnavailable."""
        return self.secrets().get(name, "")

    def secrets(self) -> dict[str, str]:
        """Return all secrets by name, for the service that replaces some of them."""
        return cast(dict[str, str], json.loads(self.sealed_secrets))

    @property
    def mapping(self) -> RoleMapping:
        """Return which groups give which role."""
        return RoleMapping.of(self.role_mapping, default=self.default_role)


class Identity(TenantModel):
    """One person at one provider, who is this account. The subject is the provider's own unchanging id, never a name.

    `gone_at` is set while the provider no longer vouches for the person. `name_there` is the login or name that the
    provider knows the person by, for people to read.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    provider = models.ForeignKey(IdentityProvider, on_delete=models.CASCADE, related_name="identities")
    subject = models.CharField(max_length=MAX_SUBJECT_CHARS)
    account = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    name_there = models.CharField(max_length=255, blank=True)
    linkage = models.CharField(max_length=8, choices=Linkage.choices)
    linked_at = models.DateTimeField(default=clock.now, editable=False)
    seen_at = models.DateTimeField(default=clock.now, editable=False)
    gone_at = models.DateTimeField(null=True, editable=False)

    class Meta(TenantModel.Meta):
        abstract = False
        verbose_name_plural = "identities"
        constraints = (
            models.UniqueConstraint(fields=("provider", "subject"), name="subjects_once_per_provider"),
            models.UniqueConstraint(fields=("provider", "account"), name="accounts_once_per_provider"),
        )

    def __str__(self) -> str:
        return str(self.id)

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Write the row. Raises ValueError where provider or account are another tenant's."""
        check_tenant(self)
        if not self.tenant_id == self.provider.tenant_id == self.account.tenant_id:
            raise ValueError("an identity, its provider and its account belong to one tenant")
        super().save(*args, **kwargs)
