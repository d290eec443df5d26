"""Refuse Django's own `changepassword`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    """Stand in the way of Django's command of this name: changes a password without a trace in the audit log."""

    help = "Not available: see `account`"

    def handle(self, *args: Any, **options: Any) -> None:
        raise CommandError("This command is not available; see `manage.py account`.")
