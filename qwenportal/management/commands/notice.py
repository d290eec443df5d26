"""Publish consent notices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser, no_translations

from consent.notice_files import NoticeFileError, read_notice_file
from consent.services import publish_notice
from tenants.models import Tenant
from tenants.scope import tenant_scope


class Command(BaseCommand):
    """`manage.py notice publish --tenant CODE zh-hans=FILE en=FILE`: everybody is asked anew."""

    help = "Publish the next version of an organisation's consent notice"

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="what", required=True)
        publishing = commands.add_parser("publish")
        publishing.add_argument("--tenant", required=True, help="the organisation's code")
        publishing.add_argument("texts", nargs="+", help="LANGUAGE=FILE, for example en=notice.md")

    @no_translations  # one language on the terminal
    def handle(self, *args: Any, **options: Any) -> None:
        tenant = Tenant.objects.filter(code=options["tenant"]).first()
        if tenant is None:
            raise CommandError("There is no organisation with this code.")
        try:
            pairs = [text.partition("=") for text in options["texts"]]
            texts = {language: read_notice_file(Path(file)) for language, _equals, file in pairs}
            with tenant_scope(tenant.id):
                version = publish_notice(texts=texts, actor=None)
        except NoticeFileError as error:
            raise CommandError(str(error)) from error
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        self.stdout.write(f"Version {version} is in force; everybody is asked anew.")
