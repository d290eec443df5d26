"""Examine the installation and say what is well and what is not."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from itertools import chain
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser, no_translations

from inference.examination import examine
from inference.tuning import recall
from qwenportal import diagnosis
from qwenportal.diagnosis import Row, Verdict

LOAD_TIMEOUT_S = 600
_MARKS: dict[Verdict, str] = {"ok": "ok  ", "warn": "WARN", "fail": "FAIL"}


class Command(BaseCommand):
    """`manage.py doctor [--json]`: a table of checks; ends with 1 where one fails.

    It starts a worker of its own with the first active model, so it may run beside a server.
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
        for row in self._rows():
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

    def _rows(self) -> Iterator[Row]:
        yield from chain(diagnosis.examine_settings(), diagnosis.examine_store())
        models = diagnosis.models_in_use()
        sound = [(model, self._look(model)) for model in models]
        yield from (row for _model, row in sound)
        usable = next((model for model, row in sound if row.verdict == "ok"), None)
        if not models:
            yield Row("model", "in use", "warn", "none; the sandbox is examined with the scripted engine")
        yield diagnosis.engine_wanted()
        self._progress("loading a model in a worker of its own …")
        config = recall(diagnosis.config_for(usable), folder=settings.PORTAL.data_dir)
        seen = asyncio.run(examine(config.worker_spec, timeout_s=LOAD_TIMEOUT_S))
        yield from diagnosis.describe_worker(seen, trials=config.trials)

    def _look(self, model: Any) -> Row:
        self._progress(f"hashing {model.name} …")
        return diagnosis.examine_model(model)

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
