"""Register the lowest floor with Django: template tags and nothing else."""

from django.apps import AppConfig


class CommonConfig(AppConfig):
    """Template tags shared by every page."""

    name = "common"
