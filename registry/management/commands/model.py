"""Import models and lead them through their life."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser, no_translations

from accounts.models import User
from accounts.terminal import ask_person
from common.errors import PortalError
from registry import services
from registry.catalogue import KNOWN_MODELS
from registry.comparing import compare, latest_evaluation, missed_thresholds
from registry.errors import ModelError, ReasonNeeded
from registry.history import MAX_REASON_CHARS
from registry.importing import GGML_ARCHITECTURES
from registry.management import evaluation
from registry.management.watching import print_watch
from registry.models import FileState, ModelArtifact, SignatureState, Status
from registry.sbom import bill_of
from registry.store import unlisted_files
from registry.verifying import Finding, look_at, was_touched

ANONYMOUS = frozenset({"import", "list", "show", "verify", "evaluate", "compare", "watch", "sbom"})
WITH_REASON = {
    "submit": "ask for approval",
    "approve": "approve as the second person",
    "reject": "reject as the second person",
    "retire": "end its use for good",
}


class Command(BaseCommand):
    """`manage.py model import|list|show|verify|sbom|evaluate|compare|watch|submit|approve|reject|activate|…`."""

    help = "Import models and lead them through their life"

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="what", required=True)
        importing = _add(commands, "import", "take a model into the portal's store")
        importing.add_argument(
            "model", help="a GGUF or GGML file, `starter`, or one of: " + ", ".join(KNOWN_MODELS)
        )
        importing.add_argument(
            "--signature", type=Path, help="its detached signature: minisign or raw Ed25519"
        )
        importing.add_argument("--key", type=Path, help="the trusted public key that must have made it")
        importing.add_argument(
            "--architecture",
            default="",
            help="of a GGML file that does not say it: " + ", ".join(GGML_ARCHITECTURES),
        )
        _add(commands, "list", "show what has been imported")
        showing = _add(commands, "show", "show one model and what happened to it")
        showing.add_argument("digest", help="the beginning of its SHA-256, or r1, r2, …")
        _add(commands, "verify", "check every stored file against its digest and its signature")
        billing = _add(commands, "sbom", "write a bill of materials as CycloneDX JSON")
        billing.add_argument("digest", nargs="?", default="", help="one model; without it, all")
        evaluating = _add(commands, "evaluate", "measure and question a model in the sandbox")
        evaluating.add_argument("digest", help="the beginning of its SHA-256, or r1, r2, …")
        evaluation.add_evaluate_arguments(evaluating)
        comparing = _add(commands, "compare", "show two evaluated models side by side")
        comparing.add_argument("digest", help="the first one")
        comparing.add_argument("other", help="the second one")
        watching = _add(
            commands, "watch", "show how models do in operation; ends with 1 where there are alerts"
        )
        watching.add_argument("digest", nargs="?", default="", help="one model; without it, those in use")
        for word, text in WITH_REASON.items():
            acting = _add(commands, word, text)
            acting.add_argument("digest", help="the beginning of its SHA-256, or r1, r2, …")
            acting.add_argument("--reason", default="", help="why, in writing")
        activating = _add(commands, "activate", "put an approved model into use")
        activating.add_argument("digest", help="the beginning of its SHA-256, or r1, r2, …")
        activating.add_argument("--beside", action="store_true", help="beside the models in use")
        rolling = _add(commands, "rollback", "go back to the model that was in use before")
        rolling.add_argument("--reason", default="", help="why, in writing")

    @no_translations  # one language on the terminal
    def handle(self, *args: Any, **options: Any) -> None:
        what = str(options["what"])
        try:
            by = _person(str(options["person"]), what=what)
            act: Callable[[dict[str, Any], User | None], None] = getattr(self, f"_{what}")
            act(options, by)
        except PortalError as error:
            raise CommandError(_line_of(error)) from error

    def _with_reason(self, service: Callable[..., None], options: dict[str, Any], by: User) -> None:
        """Do what may need a reason; where one is missing, say what it is wanted for."""
        artifact = self._artifact(options)
        try:
            service(artifact, by=by, reason=str(options["reason"]))
        except ReasonNeeded as error:
            raise CommandError("\n".join([error.message, *_missed_by(artifact)])) from error

    def _import(self, options: dict[str, Any], by: User | None) -> None:
        wanted, vouching = str(options["model"]), _vouching(options)
        if wanted == "starter" and vouching is not None:
            raise CommandError("The starter model comes by its published digest and takes no signature.")
        if wanted == "starter":
            artifact = services.import_starter(by=by)
        elif wanted in KNOWN_MODELS:
            artifact = services.import_known(wanted, vouching=vouching, by=by)
        else:
            artifact = services.import_file(
                Path(wanted),
                source=f"file {Path(wanted).name}",
                architecture=str(options["architecture"]),
                vouching=vouching,
                by=by,
            )
        self.stdout.write(
            f"{artifact.label} {artifact.name} ({artifact.quantisation}), SHA-256 {artifact.sha256}"
        )

        for text in artifact.template_warnings:
            self.stdout.write(f"Note: the chat template adds a text of its own: {text}")

    def _list(self, _options: dict[str, Any], _by: User | None) -> None:
        active = services.active_artifact()
        for row in ModelArtifact.objects.all():
            fault = _fault_of(row)
            is_in_use = row.status == Status.ACTIVE and not fault
            mark = "*" if row == active and is_in_use else "+" if is_in_use else "!" if fault else " "
            state = "stopped" if fault and row.status == Status.ACTIVE else row.status
            line = (
                f"{mark} {row.label:<4} {row.sha256[:12]}  {state:<9}  {row.name}  {row.quantisation}"
                f"  {row.licence}  {fault}"
            )
            self.stdout.write(line.rstrip())

    def _show(self, options: dict[str, Any], _by: User | None) -> None:
        row = _find(str(options["digest"]))
        for name in SHOWN:
            self.stdout.write(f"{name.replace('_', ' '):<18}{getattr(row, name)}")
        for event in reversed(services.timeline(artifact=row)):
            reason = evaluation.printable(event.reason, limit=MAX_REASON_CHARS)
            self.stdout.write(f"{event.at:%Y-%m-%d %H:%M}  {event.kind:<9} {reason}".rstrip())

    def _verify(self, _options: dict[str, Any], _by: User | None) -> None:
        faults = []
        for artifact in ModelArtifact.objects.all():
            try:
                services.verify_artifact(artifact)
            except ModelError as error:
                faults.append(error.detail)
            else:
                self.stdout.write(f"{artifact.sha256[:12]}  {artifact.name}: unchanged")
        for path in unlisted_files():
            self.stdout.write(f"{path.name}: no artefact names it; import the file again, or remove it")
        if faults:
            raise CommandError("\n".join(faults))

    def _sbom(self, options: dict[str, Any], _by: User | None) -> None:
        rows = [self._artifact(options)] if options["digest"] else list(ModelArtifact.objects.all())
        self.stdout.write(json.dumps(bill_of(rows), ensure_ascii=False, indent=2))

    def _evaluate(self, options: dict[str, Any], by: User | None) -> None:
        evaluation.evaluate(self._artifact(options), options, by=by, out=self.stdout)

    def _compare(self, options: dict[str, Any], _by: User | None) -> None:
        comparison = compare(self._artifact(options), _find(str(options["other"])))
        evaluation.print_comparison(comparison, self.stdout)

    def _watch(self, options: dict[str, Any], _by: User | None) -> None:
        rows = [self._artifact(options)] if options["digest"] else services.active_artifacts()
        seen = [print_watch(row, self.stdout) for row in rows]
        if any(one.alerts for one in seen):
            raise CommandError("There are alerts.")

    def _submit(self, options: dict[str, Any], by: User) -> None:
        self._with_reason(services.submit, options, by)

    def _approve(self, options: dict[str, Any], by: User) -> None:
        self._with_reason(services.approve, options, by)

    def _reject(self, options: dict[str, Any], by: User) -> None:
        services.reject(self._artifact(options), by=by, reason=str(options["reason"]))

    def _retire(self, options: dict[str, Any], by: User) -> None:
        services.retire(self._artifact(options), by=by, reason=str(options["reason"]))

    def _activate(self, options: dict[str, Any], by: User) -> None:
        how = services.Activation.BESIDE if options["beside"] else services.Activation.REPLACE
        services.activate(self._artifact(options), by=by, activation=how)

    def _rollback(self, options: dict[str, Any], by: User) -> None:
        row = services.rollback(by=by, reason=str(options["reason"]))
        self.stdout.write(f"{row.label} {row.name} is in use again")

    def _artifact(self, options: dict[str, Any]) -> ModelArtifact:
        return _find(str(options["digest"]))


def _missed_by(artifact: ModelArtifact) -> list[str]:
    """Return a line per threshold that the evaluation which counts has missed."""
    if latest_evaluation(artifact) is None:
        return []
    return [
        f"missed: {missed.figure.label}, {missed.value:.1f} {missed.figure.unit} instead of {missed.threshold:g}"
        for missed in missed_thresholds(artifact)
    ]


def _fault_of(row: ModelArtifact) -> str:
    """Return what is wrong with an artefact's file or signature; a file that was touched is read, others are not."""
    found = look_at(row) if was_touched(row) else Finding(FileState(row.file_state), row.signature_state)
    if found.file_state != FileState.OK:
        return f"file: {found.file_state}"
    return "signature: revoked" if found.signature_state == SignatureState.REVOKED else ""


SHOWN = (
    "label", "status", "name", "sha256", "size_bytes", "file_name", "format", "architecture", "parameter_count",
    "quantisation", "context_tokens", "licence", "source", "file_state", "signature_state", "signature_key",
    "imported_at", "portal_version",
)  # fmt: skip


def _add(commands: Any, word: str, text: str) -> Any:
    parser = commands.add_parser(word, help=text)
    parser.add_argument(
        "--as",
        dest="person",
        default="",
        metavar="LOGIN",
        help="who acts: `login` of an operator, `organisation/login` of an officer;"
        " the password is asked for, or comes from ACCOUNT_PASSWORD",
    )
    return parser


def _person(handle: str, *, what: str) -> User | None:
    """Return who acts; nobody may do a few things where one person has the whole installation to themselves."""
    if handle:
        return ask_person(handle)
    if what in {"list", "show", "verify", "compare", "watch", "sbom"} or (
        what in ANONYMOUS and settings.PORTAL.mode == "embedded"
    ):
        return None
    raise CommandError(f"`model {what}` needs a person who signs for it: --as LOGIN")


def _vouching(options: dict[str, Any]) -> services.Vouching | None:
    if options["signature"] is None:
        if options["key"] is not None:
            raise CommandError("--key says who must have made a signature; give --signature too")
        return None
    return services.Vouching(options["signature"], options["key"])


def _find(beginning: str) -> ModelArtifact:
    found: list[ModelArtifact]
    rows = ModelArtifact.objects.all()
    if beginning[:1] == "r" and beginning[1:].isdecimal():
        found = list(rows.filter(revision=int(beginning[1:])))
    else:
        found = list(rows.filter(sha256__startswith=beginning)[:2])
    if len(found) != 1:
        raise CommandError("Exactly one imported model must begin with this digest; see `model list`.")
    return found[0]


def _line_of(error: PortalError) -> str:
    text = str(error)
    return error.message if text == error.code else text
