"""Serve the portal."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from common.errors import PortalError
from crypto.services import check_keys
from qwenportal.fitness import (
    StartRefused,
    line_of,
    require_sound_settings,
    require_strong_passwords,
    require_walls,
)
from qwenportal.server import ServerError, serve


class Command(BaseCommand):
    """`manage.py serve`: daphne and the engine in one go, until SIGINT or SIGTERM."""

    help = "Serve the portal"
    requires_system_checks = ()  # it runs them itself, also when another command calls it, and says them in one line

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            require_sound_settings()
            check_keys()
            require_strong_passwords()
            require_walls()
            serve(say=self._say)
        except (StartRefused, ServerError) as error:
            raise CommandError(str(error)) from error
        except PortalError as error:
            raise CommandError(line_of(error)) from error

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
