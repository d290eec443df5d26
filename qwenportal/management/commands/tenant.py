"""Create and list organisations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser, no_translations

from accounts.administration import set_separation
from accounts.erasing import erase_tenant
from accounts.live import leave_word, leave_word_of_tenant
from accounts.organisations import ask_deletion, keep_tenant, resume_tenant, suspend_tenant
from accounts.terminal import add_person_argument, ask_person
from common.errors import PortalError
from console.opening import open_tenant
from console.organisations import state_of
from qwenportal.fitness import line_of
from tenants.models import Tenant
from tenants.services import set_engine_weight

ACTS: dict[str, Callable[..., None]] = {
    "suspend": suspend_tenant,
    "resume": resume_tenant,
    "delete": ask_deletion,
    "keep": keep_tenant,
}


class Command(BaseCommand):
    """`manage.py tenant create|list|weight|separation|suspend|resume|delete|keep|erase`."""

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
        erasing = commands.add_parser(
            "erase", help="delete an organisation whose waiting period is over, now"
        )
        erasing.add_argument("code")
        for word, text in (
            ("suspend", "shut everybody of an organisation out"),
            ("resume", "let them sign in again"),
            ("delete", "suspend an organisation, and have it deleted after the waiting period"),
            ("keep", "take a deletion back while the waiting period lasts"),
        ):
            acting = commands.add_parser(word, help=text)
            acting.add_argument("code")
            if word == "delete":
                acting.add_argument("--name", required=True, help="the organisation's name, to make sure")
            add_person_argument(acting)

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
        if options["what"] == "erase":
            self._erase(self._find(options["code"]))
            return
        if options["what"] in ACTS:
            self._act(options)
            return
        for tenant in Tenant.objects.all():
            line = f"{tenant.code}  {tenant.id}  {tenant.name}  {tenant.engine_weight:g}  {state_of(tenant)}"
            self.stdout.write(line)

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

    def _erase(self, tenant: Tenant) -> None:
        """Delete it now, showing how far it is; ended in between, the same command or the server goes on."""

        def show() -> bool:
            now = self._find(tenant.code)
            self.stdout.write(f"{now.erase_done} of {now.erase_total} rows deleted")
            return True

        try:
            erase_tenant(tenant, goes_on=show)
        except ValueError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{tenant.code}  {state_of(self._find(tenant.code))}")

    def _act(self, options: dict[str, Any]) -> None:
        """Do an operator's act, and let the server that runs here end what everybody has open."""
        tenant, more = self._find(options["code"]), {}
        if options["what"] == "delete":
            more["typed"] = options["name"]
        try:
            ACTS[options["what"]](tenant, by=ask_person(str(options["person"])), **more)
        except PortalError as error:
            raise CommandError(line_of(error)) from error
        leave_word_of_tenant(tenant.pk)
        self.stdout.write(f"{tenant.code}  {state_of(self._find(options['code']))}")

    def _find(self, code: str) -> Tenant:
        tenant = Tenant.objects.filter(code=code).first()
        if tenant is None:
            raise CommandError(f"There is no organisation {code}.")
        return tenant
