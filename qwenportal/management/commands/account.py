"""Create accounts, give them roles and temporary passwords, shut them out and let them in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser, no_translations

from accounts.administration import (
    ROLE_ACTIONS,
    change_role,
    disable_account,
    enable_account,
    find_account,
)
from accounts.live import leave_word
from accounts.models import User
from accounts.onboarding import Way
from accounts.passwords import give_temporary_password
from accounts.roles import Role
from accounts.second_factor import reset_second_factor
from accounts.services import create_account
from accounts.temporary import temporary_password
from accounts.terminal import add_person_argument, ask_person
from accounts.unlocking import unlock_account
from common.errors import PortalError
from qwenportal.account_import import import_file
from qwenportal.fitness import line_of
from tenants.models import Tenant


class Command(BaseCommand):
    """`manage.py account create|role|disable|enable|password|import`.

    A new account's password comes from ACCOUNT_PASSWORD, or is a temporary one, printed once. The others are acts of a
    person, who signs in for them.
    """

    help = "Create accounts, give them roles and temporary passwords, shut them out and let them in"

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="what", required=True)
        creating = commands.add_parser("create")
        creating.add_argument("login")
        creating.add_argument("--tenant", default="", help="the organisation's code; none for an operator")
        creating.add_argument("--role", choices=Role.values, default=Role.MEMBER)
        creating.add_argument("--name", default="", help="the name that the person is shown by")
        for word, text in (
            ("role", "give an account another role; what it has open ends"),
            ("disable", "shut an account out; what it has open ends"),
            ("enable", "let a disabled account in again"),
            ("unlock", "let an account in that is locked after failed sign-ins"),
            ("factors", "take away second factors that somebody has lost; what they have open ends"),
            (
                "password",
                "give a temporary password to somebody who has forgotten theirs; what they have open ends",
            ),
        ):
            changing = commands.add_parser(word, help=text)
            changing.add_argument("handle", help="`organisation/login`, or `login` of an operator")
            if word == "role":
                changing.add_argument("role", choices=list(ROLE_ACTIONS))
            add_person_argument(changing)

        importing = commands.add_parser("import", help="import people from a CSV file")
        importing.add_argument("file", type=Path)
        importing.add_argument("--tenant", required=True, help="the organisation's code")
        importing.add_argument("--dry-run", action="store_true", help="say what would happen, and stop there")
        importing.add_argument("--way", choices=[way.value for way in Way], default=Way.INVITATION.value)
        importing.add_argument("--list", type=Path, help="a new file for what opens the accounts")
        add_person_argument(importing)

    @no_translations  # one language on the terminal
    def handle(self, *args: Any, **options: Any) -> None:
        if options["what"] == "create":
            self._create(options)
            return
        try:
            by = ask_person(str(options["person"]))
            if options["what"] == "import":
                self._import(options, by=by)
                return
            account = find_account(str(options["handle"]), by=by)
            self._change(account, options, by=by)
        except PortalError as error:
            raise CommandError(line_of(error)) from error
        leave_word(account.pk)

    def _change(self, account: User, options: dict[str, Any], *, by: User) -> None:
        match options["what"]:
            case "role":
                change_role(account, role=str(options["role"]), by=by)
            case "disable":
                disable_account(account, by=by)
            case "enable":
                enable_account(account, by=by)
            case "unlock":
                unlock_account(account, by=by)
            case "factors":
                reset_second_factor(account, by=by)
            case "password":
                self._show(account, give_temporary_password(account, by=by))

    def _import(self, options: dict[str, Any], *, by: User) -> None:
        import_file(
            options["file"],
            code=str(options["tenant"]),
            way=Way(options["way"]),
            list_path=options["list"],
            is_dry=bool(options["dry_run"]),
            by=by,
            say=self.stdout.write,
        )

    def _create(self, options: dict[str, Any]) -> None:
        tenant = Tenant.objects.filter(code=options["tenant"]).first()
        if (tenant is None) != (options["role"] == Role.OPERATOR):
            raise CommandError("An operator has no organisation; everybody else has one that exists.")
        given = os.environ.get("ACCOUNT_PASSWORD", "")
        password = given or temporary_password()
        try:
            account = create_account(
                tenant=tenant,
                login=options["login"],
                display_name=options["name"] or options["login"],
                role=options["role"],
                password=password,
                is_temporary=not given,
            )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        self._show(account, "ACCOUNT_PASSWORD" if given else password)

    def _show(self, account: User, password: str) -> None:
        self.stdout.write(f"{account.handle}  {password}")
