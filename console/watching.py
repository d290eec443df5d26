"""Show how an artefact does in operation: the last day beside what was before."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _

from console.artifacts import Mark, Text
from console.viewers import Viewer
from registry.models import ModelArtifact
from registry.watching import AlertCode, Totals, watch

NONE = "—"


@dataclass(frozen=True, slots=True)
class Watched:
    """One figure of operation, lately and before; without a verdict it is for information."""

    label: Text
    recent: str
    before: str
    verdict: Mark | None


def watched(row: ModelArtifact, viewer: Viewer) -> list[Watched]:
    """Return how an artefact does, for the viewer's organisation or summed over all; nothing without a turn."""
    seen = watch(row, tenant_id=viewer.tenant_id)
    if not seen.recent.turns and not seen.baseline.turns:
        return []
    recent, before = seen.recent, seen.baseline
    alarms: dict[AlertCode, Text] = {alert.code: alert.label for alert in seen.alerts}
    return [
        Watched(_("Turns"), f"{recent.turns:,}", f"{before.turns:,}", None),
        Watched(
            _("Failed"), _share(recent, "failures"), _share(before, "failures"), _mark(alarms, "failures")
        ),
        Watched(
            _("Withdrawn by a rule"),
            _share(recent, "withdrawn"),
            _share(before, "withdrawn"),
            _mark(alarms, "withdrawn"),
        ),
        Watched(
            _("Speed of one answer"),
            _number(recent.tokens_per_second, _("%(n)s tok/s")),
            _number(before.tokens_per_second, _("%(n)s tok/s")),
            _mark(alarms, "slower"),
        ),
        Watched(_("First word, p95"), _seconds(recent), _seconds(before), None),
        Watched(
            _("Mean length of an answer"),
            _number(recent.mean_length, _("%(n)s tokens")),
            _number(before.mean_length, _("%(n)s tokens")),
            _mark(alarms, "longer", "shorter"),
        ),
    ]


def _mark(alarms: dict[AlertCode, Text], *codes: AlertCode) -> Mark:
    found = next((alarms[code] for code in codes if code in alarms), None)
    return Mark("ok", _("nothing unusual")) if found is None else Mark("warn", found)


def _share(totals: Totals, name: str) -> str:
    rate = totals.failure_rate if name == "failures" else totals.withdrawn_rate
    return f"{100 * rate:.1f}%" if totals.turns else NONE


def _number(value: float | None, text: str) -> str:
    return NONE if value is None else text % {"n": f"{value:.1f}"}


def _seconds(totals: Totals) -> str:
    spent = totals.first_token_p95_ms
    return NONE if spent is None else _("%(n)s s") % {"n": f"{spent / 1000:.2f}"}
