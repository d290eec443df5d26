"""Register the console with Django."""

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    """Administrative screens."""

    name = "console"
