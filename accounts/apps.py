"""Register accounts with Django and hear about sign-in."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Accounts, roles and sign-in."""

    name = "accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Connect the receivers that record sign-in events."""
        from accounts import receivers  # noqa: F401, PLC0415 (models exist only now)
