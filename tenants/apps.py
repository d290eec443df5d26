"""Register the tenants with Django."""

from __future__ import annotations

from django.apps import AppConfig


class TenantsConfig(AppConfig):
    """Organisations and the tenant scope."""

    name = "tenants"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Let the audit log, one floor down, find an organisation by its code, and ask whether it logs addresses."""
        from audit.addresses import register_address_rule  # noqa: PLC0415 (models exist only now)
        from audit.naming import register_tenant_lookup  # noqa: PLC0415
        from tenants.services import find_tenant_id  # noqa: PLC0415
        from tenants.values import logs_addresses  # noqa: PLC0415

        register_tenant_lookup(find_tenant_id)
        register_address_rule(logs_addresses)
