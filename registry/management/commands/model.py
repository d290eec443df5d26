"""Import, list, verify and activate models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from registry import services
from registry.catalogue import KNOWN_MODELS
from registry.errors import ModelError
from registry.models import ModelArtifact


class Command(BaseCommand):
    """`manage.py model import|list|verify|activate`."""

    help = "Import, list, verify and activate models"

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="what", required=True)
        importing = commands.add_parser("import", help="take a model into the portal's store")
        importing.add_argument("model", help="a GGUF file, `starter`, or one of: " + ", ".join(KNOWN_MODELS))
        commands.add_parser("list", help="show what has been imported")
        commands.add_parser("verify", help="compare every stored file with its digest")
        activating = commands.add_parser("activate", help="choose the model of the next start")
        activating.add_argument("digest", help="the beginning of its SHA-256")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['what']}")(options)
        except ModelError as error:
            raise CommandError(str(error)) from error

    def _import(self, options: dict[str, Any]) -> None:
        wanted = str(options["model"])
        if wanted == "starter":
            artifact = services.import_starter()
        elif wanted in KNOWN_MODELS:
            artifact = services.import_known(wanted)
        else:
            artifact = services.import_file(Path(wanted), source=Path(wanted).name[:120])
        self.stdout.write(f"{artifact.name} ({artifact.quantisation}), SHA-256 {artifact.sha256}")

    def _list(self, _options: dict[str, Any]) -> None:
        active = services.active_artifact()
        for artifact in ModelArtifact.objects.all():
            mark = "*" if artifact == active else " "
            self.stdout.write(
                f"{mark} {artifact.sha256[:12]}  {artifact.name}  {artifact.quantisation}  {artifact.licence}"
            )

    def _verify(self, _options: dict[str, Any]) -> None:
        faults = []
        for artifact in ModelArtifact.objects.all():
            try:
                services.verify_artifact(artifact)
            except ModelError as error:
                faults.append(error.detail)
            else:
                self.stdout.write(f"{artifact.sha256[:12]}  {artifact.name}: unchanged")
        if faults:
            raise CommandError("\n".join(faults))

    def _activate(self, options: dict[str, Any]) -> None:
        found = list(ModelArtifact.objects.filter(sha256__startswith=options["digest"])[:2])
        if len(found) != 1:
            raise CommandError("Exactly one imported model must begin with this digest; see `model list`.")
        services.verify_artifact(found[0])
        services.activate(found[0])
