"""Delete what is no longer to be kept."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, no_translations

from chat.purging import purge_expired


class Command(BaseCommand):
    """`manage.py purge`: what the server does by itself every minute while it runs."""

    help = "Delete conversations that their organisations keep no longer"

    @no_translations  # one language on the terminal
    def handle(self, *args: Any, **options: Any) -> None:
        count = sum(1 for _ in purge_expired())
        self.stdout.write(f"{count} conversations deleted")
