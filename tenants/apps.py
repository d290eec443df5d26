"""Register the tenants with Django."""

from django.apps import AppConfig


class TenantsConfig(AppConfig):
    """Organisations and the tenant scope."""

    name = "tenants"
    default_auto_field = "django.db.models.BigAutoField"
