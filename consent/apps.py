"""Register consent with Django."""

from django.apps import AppConfig


class ConsentConfig(AppConfig):
    """Notices and consent records."""

    name = "consent"
    default_auto_field = "django.db.models.BigAutoField"
