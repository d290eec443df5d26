"""Set up whatever is missing and serve: what `make run` calls."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from common.errors import PortalError
from crypto.services import create_local_keys
from qwenportal import setup
from qwenportal.fitness import StartRefused, line_of, require_sound_settings
from qwenportal.models_setup import choose_model
from registry.catalogue import KNOWN_MODELS
from registry.models import ModelArtifact
from registry.services import is_only_waived

T = TypeVar("T")


class Command(BaseCommand):
    """`manage.py quickstart`: keys, database, pages, demo organisation, model; then serve."""

    help = "Set up what is missing on the embedded default, and serve"
    requires_system_checks = ()  # it runs them itself, and says them in one line

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--model", default="", choices=["", "qwen", "starter", *KNOWN_MODELS])
        parser.add_argument("--no-serve", action="store_true", help="set up only")

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.PORTAL.mode == "production":
            raise CommandError(
                "quickstart is for the embedded default; see docs/operations.md for production"
            )
        try:
            require_sound_settings()
            self._set_up(str(options["model"]))
        except StartRefused as error:
            raise CommandError(str(error)) from error
        except PortalError as error:
            raise CommandError(line_of(error)) from error
        except ValidationError as error:
            raise CommandError("QUICKSTART_PASSWORD: " + " ".join(error.messages)) from error
        except KeyboardInterrupt:
            raise CommandError("stopped; what was set up so far stays, run it again to go on") from None
        if not options["no_serve"]:
            call_command("serve")

    def _set_up(self, model: str) -> None:
        password = os.environ.get("QUICKSTART_PASSWORD", "")
        self._step("Database", setup.migrate, made="migrated", kept="up to date")
        self._step("Keys", create_local_keys, made="made", kept="present")
        self._step("Pages", setup.collect_static, made="published", kept="up to date")
        if settings.PORTAL.engine != "scripted":
            artifact = self._step("Model", lambda: choose_model(model))
            self._introduce(artifact)
        # Last, and shown at once: passwords that a later step's failure kept from the terminal would be lost.
        passwords = self._step(
            "Organisation", lambda: setup.create_demo(password=password), made="created", kept="present"
        )
        self._show(passwords)
        if passwords and password and setup.is_weak(password):
            self.stdout.write(
                "  Note: QUICKSTART_PASSWORD is weak; with it the portal serves on a loopback address only."
            )

    def _step(self, label: str, work: Callable[[], T], *, made: str = "ready", kept: str = "ready") -> T:
        started = time.monotonic()
        self.stdout.write(f"{label:<14}", ending="")
        self.stdout.flush()
        result = work()
        self.stdout.write(f"{made if result else kept}  ({time.monotonic() - started:.1f} s)")
        return result

    def _introduce(self, artifact: ModelArtifact) -> None:
        self.stdout.write(f"  {artifact.name} {artifact.quantisation}, SHA-256 {artifact.sha256[:16]}…")
        if not artifact.is_sound:
            self.stdout.write(
                "  It is not used: file or signature no longer hold. What was in use before stands in for it, if\n"
                f"  there is anything. Put the file back ({artifact.path}) or import it again, roll back\n"
                "  (`manage.py model rollback`), or activate another (`manage.py model activate`)."
            )
        if is_only_waived(artifact):
            self.stdout.write("  Nobody approved it: the embedded default waives that; see docs/models.md.")
        if artifact.is_starter:
            self.stdout.write(
                "  This is a small English starter model for trying the portal, not Qwen.\n"
                "  For the real one: make run MODEL=qwen, or PORTAL_MODEL=/path/to/model.gguf make run"
            )

    def _show(self, passwords: dict[str, str]) -> None:
        if not passwords:
            return
        own = bool(os.environ.get("QUICKSTART_PASSWORD"))
        self.stdout.write("\nAccounts (organisation `demo`; the operator leaves the organisation empty):")
        for login, password in passwords.items():
            self.stdout.write(f"  {login:<10} {'QUICKSTART_PASSWORD' if own else password}")
        if not own:
            self.stdout.write("These passwords are shown once.")
        self.stdout.write("")
        sys.stdout.flush()
