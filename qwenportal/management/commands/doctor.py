"""Examine the installation and say what is well and what is not."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser, no_translations

from qwenportal.diagnosis import Row, Verdict
from qwenportal.examining import examine_all

_MARKS: dict[Verdict, str] = {"ok": "ok  ", "warn": "WARN", "fail": "FAIL"}


class Command(BaseCommand):
    """`manage.py doctor [--json]`: a table of checks; ends with 1 where one fails.

    It starts a worker of its own with each model in use, so it may run beside a server.
    """

    help = "Examine the installation: settings, database, keys, audit log, model, engine, sandbox"
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--json", action="store_true", dest="as_json", help="one JSON object, for programs"
        )

    @no_translations  # one language on the terminal
    def handle(self, *args: Any, **options: Any) -> None:
        rows = []
        for row in examine_all(progress=self._progress):
            rows.append(row)
            if not options["as_json"]:
                self._print(row, is_first=len(rows) == 1 or rows[-2].area != row.area)
        count = {verdict: sum(row.verdict == verdict for row in rows) for verdict in _MARKS}
        if options["as_json"]:
            found = {"ok": not count["fail"], "count": count, "checks": [asdict(row) for row in rows]}
            self.stdout.write(json.dumps(found, indent=1))
        else:
            self.stdout.write(f"\n{count['ok']} in order, {count['warn']} to look at, {count['fail']} failed")
        if count["fail"]:
            raise CommandError(f"{count['fail']} of {len(rows)} checks failed")

    def _print(self, row: Row, *, is_first: bool) -> None:
        if is_first:
            self.stdout.write(f"\n{row.area}")
        mark = _MARKS[row.verdict]
        style = {"ok": self.style.SUCCESS, "warn": self.style.WARNING, "fail": self.style.ERROR}[row.verdict]
        self.stdout.write(f"  {style(mark)}  {row.check:<52}  {row.detail}")

    def _progress(self, text: str) -> None:
        """Say what takes time, where somebody watches."""
        if sys.stderr.isatty():
            self.stderr.write(text)
