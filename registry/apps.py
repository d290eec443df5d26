"""Register the model registry with Django."""

from django.apps import AppConfig


class RegistryConfig(AppConfig):
    """Model artefacts."""

    name = "registry"
    default_auto_field = "django.db.models.BigAutoField"
