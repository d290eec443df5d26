"""Store accounts."""

from __future__ import annotations

import unicodedata
import uuid
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from accounts import import_models, provider_models, session_models, token_models  # noqa: F401 (Django finds them here)
from accounts.roles import Role, permissions_of
from accounts.sso import models as sso_models  # noqa: F401 (likewise)
from common import clock
from tenants.models import Tenant

LOGIN_PATTERN = r"^[a-z0-9][a-z0-9._@+-]{0,63}\Z"
HANDLE_SEPARATOR = "/"


def make_handle(*, organisation: str, login: str) -> str:
    """Return the name that is unique on the installation: `organisation/login`, or `login` for operators.

    Neither part can hold the separator (their patterns), so two people never share a handle. Case does not count.
    """
    login, organisation = login.strip().casefold(), organisation.strip().casefold()
    return f"{organisation}{HANDLE_SEPARATOR}{login}" if organisation else login


def fold(text: str) -> str:
    """Return a text as it is searched by: full and half width, and upper and lower case, count as the same."""
    return unicodedata.normalize("NFKC", text).casefold().strip()


class AccountManager(BaseUserManager["User"]):
    """Find accounts for sign-in and sessions, which happen before any tenant scope can be open.

    Screens that list people go through services that name their tenant.
    """

    def get_queryset(self) -> models.QuerySet[User]:
        """Bring the tenant along: every request asks for it."""
        return super().get_queryset().select_related("tenant")

    def get_by_natural_key(self, username: str | None) -> User:
        """Return the account with this handle."""
        return self.get(handle=(username or "").casefold())


class User(AbstractBaseUser):
    """An account: one person in one tenant, or an operator in none.

    The same login in two tenants is two people.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    handle = models.CharField(max_length=100, unique=True, editable=False)
    login_name = models.CharField(max_length=64, validators=[RegexValidator(LOGIN_PATTERN)])
    display_name = models.CharField(max_length=80)
    department = models.CharField(max_length=80, blank=True, default="")
    # Login, name and department, folded: what the console searches. Folding can lengthen a text.
    search_key = models.TextField(editable=False, default="")
    role = models.CharField(max_length=16, choices=Role.choices)
    is_active = models.BooleanField(default=True)
    # Set for demo accounts on loopback only; the server does not open to other machines while one has it.
    has_weak_password = models.BooleanField(default=False, editable=False)
    # Part of what a session is bound to: raised, it ends every session of the account.
    session_epoch = models.PositiveIntegerField(default=0, editable=False)
    # Until when the person may take up the account with the link that was given out last; none: no link is valid.
    invited_until = models.DateTimeField(null=True, editable=False)
    # Somebody else knows the password: nothing but changing it is possible, and only until then.
    must_change_password = models.BooleanField(default=False, editable=False)
    temporary_until = models.DateTimeField(null=True, editable=False)
    # Whether the account has TOTP or a security key; the factors themselves are allauth's to keep.
    has_second_factor = models.BooleanField(default=False, editable=False)
    joined_at = models.DateTimeField(default=clock.now, editable=False)

    USERNAME_FIELD = "handle"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["display_name", "role"]

    objects: ClassVar[AccountManager] = AccountManager()

    class Meta:
        verbose_name = _("account")
        constraints = (
            models.CheckConstraint(
                name="operators_have_no_tenant_and_others_one",
                condition=Q(role=Role.OPERATOR, tenant__isnull=True)
                | (~Q(role=Role.OPERATOR) & Q(tenant__isnull=False)),
            ),
        )
        # Lists of people go by login. The search's text is in the index, so that what does not match is not even read.
        indexes = (
            models.Index(fields=["tenant", "login_name", "search_key"], name="account_search"),
            models.Index(fields=["tenant", "role", "login_name"], name="account_by_role"),
            models.Index(
                fields=["tenant", "login_name"], name="account_disabled", condition=Q(is_active=False)
            ),
            models.Index(
                fields=["tenant", "login_name"],
                name="account_invited",
                condition=Q(invited_until__isnull=False),
            ),
        )

    def __str__(self) -> str:
        return self.handle

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Keep the handle true to the tenant and the login, and the search true to what it searches."""
        self.handle = make_handle(organisation=self.tenant.code if self.tenant else "", login=self.login_name)
        self.search_key = fold(f"{self.login_name} {self.display_name} {self.department}")
        if kwargs.get("update_fields") is not None:
            kwargs["update_fields"] = {*kwargs["update_fields"], "search_key"}
        super().save(*args, **kwargs)

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """Return what a session is bound to: the password, as Django has it, and the epoch. Another one ends it."""
        salt = "accounts.models.User.session"
        bound = f"{self.session_epoch}:{self.password}"
        return salted_hmac(salt, bound, secret=secret, algorithm="sha256").hexdigest()

    @property
    def initial(self) -> str:
        """Return the letter on the account's round mark."""
        return self.display_name[:1].upper()

    @property
    def role_label(self) -> str:
        """Return the role's name in the current language."""
        return str(Role(self.role).label)

    def has_permission(self, name: str) -> bool:
        """Return whether the role grants the permission; a disabled account or tenant has none."""
        if not self.is_active or (self.tenant is not None and not self.tenant.is_active):
            return False
        separation = self.tenant.three_admin_separation if self.tenant else True
        return name in permissions_of(self.role, three_admin_separation=separation)
