"""Register the tenants with Django."""

from __future__ import annotations

from django.apps import AppConfig


class TenantsConfig(AppConfig):
    """Organisations and the tenant scope."""

    name = "tenants"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Let the audit commands, one floor down, be asked for an organisation by its code."""
        from audit.naming import register_tenant_lookup  # noqa: PLC0415 (models exist only now)
        from tenants.services import find_tenant_id  # noqa: PLC0415

        register_tenant_lookup(find_tenant_id)
