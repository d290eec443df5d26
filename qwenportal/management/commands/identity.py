"""Look at ways of signing in, take over those of the settings, and ask directories about who is signed in."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser, no_translations

from accounts.directory.rechecking import recheck_everybody
from accounts.live import leave_word
from accounts.provider_files import sync_providers
from accounts.providers import list_providers
from tenants.models import Tenant


class Command(BaseCommand):
    """`manage.py identity list|sync|check`."""

    help = (
        "List ways of signing in, take over those of PORTAL_IDENTITY, ask directories about who is signed in"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="what", required=True)
        commands.add_parser("list", help="show every organisation's ways of signing in")
        commands.add_parser(
            "sync", help="take over what PORTAL_IDENTITY says; the server does so when it starts"
        )
        commands.add_parser("check", help="sign out who is gone from the directory they came from")

    @no_translations  # one language on the terminal
    def handle(self, *args: Any, **options: Any) -> None:
        {"list": self._list, "sync": self._sync, "check": self._check}[str(options["what"])]()

    def _list(self) -> None:
        for tenant in Tenant.objects.order_by("code"):
            for row in list_providers(tenant):
                state = "on" if row.is_enabled else "off"
                self.stdout.write(f"{tenant.code}/{row.code}  {row.kind}  {state}  kept in {row.origin}")

    def _sync(self) -> None:
        try:
            result = sync_providers(settings.PORTAL.identity)
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from error
        for said, codes in (
            ("changed", result.changed),
            ("switched off", result.switched_off),
            ("of no organisation", result.homeless),
        ):
            for code in codes:
                self.stdout.write(f"{said}: {code}")

    def _check(self) -> None:
        result = recheck_everybody()
        for account_id in result.signed_out:
            leave_word(account_id)
        self.stdout.write(f"asked about {result.asked}, signed out {len(result.signed_out)}")
        if result.silent:
            raise CommandError(f"{result.silent} of the directories did not answer")
