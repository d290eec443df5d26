"""Put what can be proved of the installation into one document, for whoever has to answer for it.

Every line comes from a check that was made for this report, or from a row that the database does not let anybody
change. It holds no name of a person and nothing that anybody wrote.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from audit.models import AuditChain
from audit.naming import name_of
from audit.verification import Reason, chain_ids, verify_chain
from chat.plans import stand_ins
from common import clock
from qwenportal import __version__
from qwenportal.diagnosis import Row
from registry.choosing import active_artifacts
from registry.comparing import latest_evaluation, results_of
from registry.figures import BY_KEY
from registry.models import ModelArtifact, Status

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#])")


def make_report(rows: Sequence[Row]) -> str:
    """Return the report in the current language, as Markdown; its last line is the SHA-256 of what stands before it."""
    parts = [*_head(rows), *_checks(rows), *_models(), *_chains(), *_limits()]
    text = "\n".join(parts) + "\n"
    return f"{text}\nSHA-256: {hashlib.sha256(text.encode()).hexdigest()}\n"


def _head(rows: Sequence[Row]) -> Iterator[str]:
    failed, weak = (sum(row.verdict == verdict for row in rows) for verdict in ("fail", "warn"))
    made_at = localtime(clock.now()).isoformat(timespec="seconds")
    checks = _("%(all)d checks, %(failed)d failed, %(weak)d to look at")
    yield "# " + _("Evidence report") + "\n"
    yield f"- Qwen Portal {__version__}"
    yield "- " + _("Made at") + f": {made_at}"
    yield "- " + checks % {"all": len(rows), "failed": failed, "weak": weak} + "\n"


def _checks(rows: Iterable[Row]) -> Iterator[str]:
    titles = {
        "settings": _("Settings"),
        "database": _("Database"),
        "keys": _("Keys"),
        "audit": _("Audit log"),
        "policy": _("Rules"),
        "model": _("Models"),
        "engine": _("Engine"),
        "sandbox": _("Sandbox of the engine, each layer tried from inside"),
    }
    results = {"ok": _("in order"), "warn": _("to look at"), "fail": _("FAILED")}
    for area, checks in groupby(rows, key=lambda row: row.area):
        noun, _space, which = area.partition(" ")
        yield f"## {titles.get(noun, noun)} {which}".rstrip() + "\n"
        yield from _table(
            (_("Check"), _("Result"), _("Finding")),
            [(row.check, results[row.verdict], row.detail) for row in checks],
        )


def _models() -> Iterator[str]:
    yield "## " + _("Models in use") + "\n"
    artifacts = [*active_artifacts(), *stand_ins()]
    if not artifacts:
        yield _("None.") + "\n"
    for artifact in artifacts:
        yield from _model(artifact)


def _model(artifact: ModelArtifact) -> Iterator[str]:
    yield f"### {artifact.label} {_plain(artifact.name)} {_plain(artifact.quantisation)}\n"
    if artifact.status != Status.ACTIVE:
        yield "- " + _("It stands in for a model that was stopped.")
    yield f"- SHA-256: `{artifact.sha256}`"
    signature = f"{artifact.get_signature_state_display()} {_plain(artifact.signature_key)}".rstrip()
    yield "- " + _("Source") + f": {_plain(artifact.source)}"
    yield "- " + _("Signature") + f": {signature}"
    for approval in artifact.approvals.all():
        day = localtime(approval.at).date().isoformat()
        yield f"- {approval.get_decision_display()} ({_plain(approval.role) or '-'}), {day}"
    yield ""
    evaluation = latest_evaluation(artifact)
    if evaluation is None:
        yield _("Not evaluated.") + "\n"
        return
    yield from _table(
        (_("Figure"), _("Value"), _("Threshold"), _("Result")),
        [
            (
                str(BY_KEY[result.figure].label),
                f"{result.value:g} {result.unit}".rstrip(),
                "" if result.threshold is None else f"{result.threshold:g}",
                {None: "", True: _("kept"), False: _("missed")}[result.passed],
            )
            for result in results_of(evaluation)
        ],
    )


def _chains() -> Iterator[str]:
    yield "## " + _("Audit chains, read from beginning to end") + "\n"
    heads = dict(AuditChain.objects.values_list("tenant_id", "hash"))
    yield from _table(
        (_("Chain"), _("Events"), _("Result"), _("Hash of the last event")),
        [
            (
                name_of(found.tenant_id),
                str(found.count),
                _("whole") if found.ok else _("BROKEN") + f": {Reason(found.reason).label}",
                heads.get(found.tenant_id, ""),
            )
            for found in map(verify_chain, chain_ids())
        ],
    )


def _limits() -> Iterator[str]:
    yield "## " + _("What this report does not show") + "\n"
    yield _(
        "Whoever administers the machine can change the program that made this report. Which clause of which law a"
        " finding answers is for the organisation's own counsel to say."
    )


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield _line(heads)
    yield _line(["---"] * len(heads))
    yield from (_line([_plain(cell) for cell in row]) for row in rows)
    yield ""


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _plain(text: object) -> str:
    """Return a text that means nothing to Markdown: names come from model files."""
    return _SPECIAL.sub(r"\\\1", " ".join(str(text).split()))
