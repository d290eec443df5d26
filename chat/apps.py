"""Register the chat with Django."""

from django.apps import AppConfig


class ChatConfig(AppConfig):
    """Conversations and turns."""

    name = "chat"
    default_auto_field = "django.db.models.BigAutoField"
