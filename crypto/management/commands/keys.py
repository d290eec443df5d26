"""Look after the installation's keys: `manage.py keys create|status`."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from crypto.errors import KeyUnavailable
from crypto.services import create_local_keys, key_status


class Command(BaseCommand):
    """Make the key file, or show which key wraps new data keys and how many data keys there are."""

    help = (
        "Look after keys. create: make the key file; status: show the key provider and count the data keys."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("act", choices=["create", "status"])

    def handle(self, *_: Any, act: str, **__: Any) -> None:
        try:
            if act == "create" and not create_local_keys():
                self.stdout.write("The key file is there already; nothing was changed.")
            status = key_status()
        except KeyUnavailable as error:
            raise CommandError(error.reason) from error
        self.stdout.write(f"provider   {status.provider_id}")
        self.stdout.write(f"key        {status.kek_id}")
        self.stdout.write(
            f"data keys  {status.in_use} in use, {status.retired} retired, {status.destroyed} destroyed"
        )
