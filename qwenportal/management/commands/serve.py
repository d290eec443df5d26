"""Serve the portal."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from crypto.errors import KeyUnavailable
from crypto.services import check_keys
from qwenportal.server import ServerError, serve


class Command(BaseCommand):
    """`manage.py serve`: daphne and the engine in one go, until SIGINT or SIGTERM."""

    help = "Serve the portal"

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            check_keys()
            serve(say=self._say)
        except (KeyUnavailable, ServerError) as error:
            raise CommandError(str(error)) from error

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
