"""Set up an installation on the embedded default, step by step; every step may be repeated and then changes nothing."""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor

from accounts.models import User
from accounts.roles import Role
from accounts.services import create_account
from console.opening import open_tenant
from qwenportal import __version__
from tenants.models import Tenant

DEMO_CODE, DEMO_NAME = "demo", "Demo"
DEMO_ACCOUNTS = {
    "member": ("Mei Lin", Role.MEMBER),
    "admin": ("Wei Chen", Role.ADMIN),
    "officer": ("Jun Zhao", Role.OFFICER),
    "auditor": ("Jing Chen", Role.AUDITOR),
    "operator": ("Tao Wu", Role.OPERATOR),
}


def migrate() -> bool:
    """Bring the database up to date; return whether there was anything to do."""
    executor = MigrationExecutor(connection)
    if not executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return False
    call_command("migrate", verbosity=0, interactive=False)
    return True


def collect_static() -> bool:
    """Publish the static files under hashed names; return whether they had changed."""
    stamp = Path(settings.STATIC_ROOT) / ".stamp"
    current = _static_digest()
    if stamp.exists() and stamp.read_text() == current:
        return False
    call_command("collectstatic", verbosity=0, interactive=False, clear=True)
    stamp.write_text(current)
    return True


def create_demo(*, password: str) -> dict[str, str]:
    """Create the tenant `demo` with one account per role; return the passwords of the accounts that are new.

    With `password`, all get this one; otherwise each gets a random one. A weak `password` raises ValidationError
    where other machines can reach the portal; elsewhere its accounts are marked.
    """
    if password and not settings.PORTAL.is_local:
        validate_password(password)
    with transaction.atomic():
        tenant = Tenant.objects.filter(code=DEMO_CODE).first() or open_tenant(code=DEMO_CODE, name=DEMO_NAME)
        return {
            login: _create(tenant, login=login, password=password or secrets.token_urlsafe(12))
            for login in DEMO_ACCOUNTS
            if not User.objects.filter(login_name=login, tenant=_tenant_of(login, tenant)).exists()
        }


def is_weak(password: str) -> bool:
    """Return whether the portal would refuse this password on any page."""
    try:
        validate_password(password)
    except ValidationError:
        return True
    return False


def _create(tenant: Tenant, *, login: str, password: str) -> str:
    name, role = DEMO_ACCOUNTS[login]
    account = create_account(
        tenant=_tenant_of(login, tenant),
        login=login,
        display_name=name,
        role=role,
        password=secrets.token_urlsafe(16),
    )
    account.set_password(password)
    account.has_weak_password = is_weak(password)
    account.save(update_fields=["password", "has_weak_password"])
    return password


def _tenant_of(login: str, tenant: Tenant) -> Tenant | None:
    return None if DEMO_ACCOUNTS[login][1] == Role.OPERATOR else tenant


def _static_digest() -> str:
    digest = hashlib.sha256(__version__.encode())
    for folder in settings.STATICFILES_DIRS:
        for path in sorted(Path(folder).rglob("*")):
            if path.is_file():
                digest.update(str(path.relative_to(folder)).encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()
