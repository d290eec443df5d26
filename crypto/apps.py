"""Register the keys' floor with Django and its checks with the check framework."""

from django.apps import AppConfig


class CryptoConfig(AppConfig):
    """Data keys per tenant and the fields that are sealed with them."""

    name = "crypto"

    def ready(self) -> None:
        """Register the system checks."""
        from crypto import checks  # noqa: F401, PLC0415 - registers by being imported, and needs the app registry
