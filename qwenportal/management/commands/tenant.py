"""Create and list organisations."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser, no_translations

from qwenportal.setup import open_tenant
from tenants.models import Tenant


class Command(BaseCommand):
    """`manage.py tenant create|list`."""

    help = "Create and list organisations"

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="what", required=True)
        creating = commands.add_parser("create", help="make an organisation with its keys and a first notice")
        creating.add_argument("code", help="what its people type when they sign in; never changes")
        creating.add_argument("name")
        commands.add_parser("list")

    @no_translations  # one language on the terminal
    def handle(self, *args: Any, **options: Any) -> None:
        if options["what"] == "create":
            try:
                tenant = open_tenant(code=options["code"], name=options["name"])
            except ValidationError as error:
                raise CommandError(" ".join(error.messages)) from error
            self.stdout.write(f"{tenant.code}  {tenant.id}")
            return
        for tenant in Tenant.objects.all():
            self.stdout.write(f"{tenant.code}  {tenant.id}  {tenant.name}")
