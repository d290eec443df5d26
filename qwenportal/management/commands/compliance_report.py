"""Write the evidence report."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import override

from audit.errors import AuditUnavailable
from audit.services import record_event
from qwenportal.examining import examine_all
from qwenportal.report import make_report


class Command(BaseCommand):
    """`manage.py compliance_report [--out FILE] [--language zh-hans|en]`; ends with 1 where a check fails."""

    help = "Examine the installation and write what was found as a document"
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--out", help="the file to write, which must not exist; default: standard output")
        parser.add_argument(
            "--language", default=settings.LANGUAGE_CODE, choices=[code for code, _ in settings.LANGUAGES]
        )

    def handle(self, *args: Any, **options: Any) -> None:
        with override(options["language"]):
            rows = list(examine_all(progress=self._progress))
            self._progress("reading the audit log …")
            report = make_report(rows)
        self._write(report, options["out"])
        failed = sum(row.verdict == "fail" for row in rows)
        try:
            record_event(
                action="report.make", tenant_id=None, actor=None, outcome="failed" if failed else "ok"
            )
        except AuditUnavailable as error:
            raise CommandError("the report was made; that could not be recorded in the audit log") from error
        if failed:
            raise CommandError(f"{failed} of {len(rows)} checks failed")

    def _write(self, report: str, path: str | None) -> None:
        if path is None:
            self.stdout.write(report, ending="")
            return
        try:
            with Path(path).open("x", encoding="utf-8") as file:
                file.write(report)
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror}") from error

    def _progress(self, text: str) -> None:
        """Say what takes time, where somebody watches."""
        if sys.stderr.isatty():
            self.stderr.write(text)
