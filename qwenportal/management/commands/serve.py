"""Serve the portal."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from accounts.provider_files import sync_providers
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
            for code in sync_providers(settings.PORTAL.identity).homeless:
                self._say(f"PORTAL_IDENTITY names {code}, and there is no such organisation")
            serve(say=self._say)
        except (StartRefused, ServerError, ImproperlyConfigured) as error:
            raise CommandError(str(error)) from error
        except PortalError as error:
            raise CommandError(line_of(error)) from error

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
