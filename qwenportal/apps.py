"""Register the composition root with Django, for its commands."""

from django.apps import AppConfig


class QwenPortalConfig(AppConfig):
    """Commands that set up and serve the whole."""

    name = "qwenportal"
