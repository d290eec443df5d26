"""Register the policy with Django."""

from django.apps import AppConfig


class PolicyConfig(AppConfig):
    """Rules and screening."""

    name = "policy"

    def ready(self) -> None:
        """Register the check of the rule file."""
        from policy import checks  # noqa: F401, PLC0415 (registers itself)
