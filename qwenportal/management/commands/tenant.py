"""Create and list organisations."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser, no_translations

from accounts.administration import set_separation
from accounts.live import leave_word
from accounts.terminal import add_person_argument, ask_person
from common.errors import PortalError
from qwenportal.fitness import line_of
from qwenportal.setup import open_tenant
from tenants.models import Tenant
from tenants.services import set_engine_weight


class Command(BaseCommand):
    """`manage.py tenant create|list|weight|separation`."""

    help = "Create and list organisations, set their shares of the engine, and separate their administrators"

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="what", required=True)
        creating = commands.add_parser("create", help="make an organisation with its keys and a first notice")
        creating.add_argument("code", help="what its people type when they sign in; never changes")
        creating.add_argument("name")
        commands.add_parser("list")
        weighing = commands.add_parser(
            "weight", help="set an organisation's share of the engine, 1 being ordinary"
        )
        weighing.add_argument("code")
        weighing.add_argument("weight", type=float)
        separating = commands.add_parser(
            "separation", help="demand three different administrators, or no longer"
        )
        separating.add_argument("code")
        separating.add_argument("state", choices=["on", "off"])
        add_person_argument(separating)

    @no_translations  # one language on the terminal
    def handle(self, *args: Any, **options: Any) -> None:
        if options["what"] == "create":
            try:
                tenant = open_tenant(code=options["code"], name=options["name"])
            except ValidationError as error:
                raise CommandError(" ".join(error.messages)) from error
            self.stdout.write(f"{tenant.code}  {tenant.id}")
            return
        if options["what"] == "weight":
            self._weigh(code=options["code"], weight=options["weight"])
            return
        if options["what"] == "separation":
            self._separate(options)
            return
        for tenant in Tenant.objects.all():
            self.stdout.write(f"{tenant.code}  {tenant.id}  {tenant.name}  {tenant.engine_weight:g}")

    def _weigh(self, *, code: str, weight: float) -> None:
        tenant = self._find(code)
        try:
            set_engine_weight(tenant, weight=weight)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error

    def _separate(self, options: dict[str, Any]) -> None:
        try:
            by = ask_person(str(options["person"]))
            ended = set_separation(self._find(options["code"]), is_on=options["state"] == "on", by=by)
        except PortalError as error:
            raise CommandError(line_of(error)) from error
        for account_id in ended:
            leave_word(account_id)

    def _find(self, code: str) -> Tenant:
        tenant = Tenant.objects.filter(code=code).first()
        if tenant is None:
            raise CommandError(f"There is no organisation {code}.")
        return tenant
