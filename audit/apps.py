"""Register the audit log with Django."""

from django.apps import AppConfig


class AuditConfig(AppConfig):
    """Append-only events and the pages that show them."""

    name = "audit"

    def ready(self) -> None:
        """Register the system checks."""
        from audit import checks  # noqa: F401, PLC0415 - registers by being imported, and needs the app registry
