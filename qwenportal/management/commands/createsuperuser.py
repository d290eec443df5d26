"""Refuse Django's own `createsuperuser`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    """Stand in the way of Django's command of this name: there is no account without a role in one organisation."""

    help = "Not available: see `account`"

    def handle(self, *args: Any, **options: Any) -> None:
        raise CommandError("This command is not available; see `manage.py account`.")
