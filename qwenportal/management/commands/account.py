"""Create accounts."""

from __future__ import annotations

import os
import secrets
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser, no_translations

from accounts.roles import Role
from accounts.services import create_account
from tenants.models import Tenant


class Command(BaseCommand):
    """`manage.py account create`: the password comes from ACCOUNT_PASSWORD, or is random and printed once."""

    help = "Create an account"

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="what", required=True)
        creating = commands.add_parser("create")
        creating.add_argument("login")
        creating.add_argument("--tenant", default="", help="the organisation's code; none for an operator")
        creating.add_argument("--role", choices=Role.values, default=Role.MEMBER)
        creating.add_argument("--name", default="", help="the name that the person is shown by")

    @no_translations  # one language on the terminal
    def handle(self, *args: Any, **options: Any) -> None:
        tenant = Tenant.objects.filter(code=options["tenant"]).first()
        if (tenant is None) != (options["role"] == Role.OPERATOR):
            raise CommandError("An operator has no organisation; everybody else has one that exists.")
        given = os.environ.get("ACCOUNT_PASSWORD", "")
        password = given or secrets.token_urlsafe(12)
        try:
            account = create_account(
                tenant=tenant,
                login=options["login"],
                display_name=options["name"] or options["login"],
                role=options["role"],
                password=password,
            )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        self.stdout.write(f"{account.handle}  {'ACCOUNT_PASSWORD' if given else password}")
