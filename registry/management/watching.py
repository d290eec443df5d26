"""Watch models at the terminal: the part of `manage.py model` that does."""

from __future__ import annotations

from django.core.management.base import OutputWrapper

from registry.models import ModelArtifact
from registry.watching import Totals, Watch, watch


def print_watch(artifact: ModelArtifact, out: OutputWrapper) -> Watch:
    """Print a model's days, summed over all organisations, and its alerts; return them."""
    seen = watch(artifact, tenant_id=None)
    out.write(f"{artifact.label} {artifact.name}")
    out.write(
        f"{'':<12}{'turns':>8}{'failed':>8}{'withdrawn':>11}{'tok/s':>8}{'first p50':>11}{'first p95':>11}{'length':>8}"
    )
    for day in seen.days:
        out.write(f"{day.date:%Y-%m-%d}  {_line(day.totals)}")
    drift = "too few answers to tell" if seen.drift is None else f"{seen.drift:+.2f} standard deviations"
    out.write(f"drift of length in the last 24 hours: {drift}")
    for alert in seen.alerts:
        out.write(f"ALERT {alert.label}: {alert.value:.2f}, bound {alert.bound:.2f}")
    return seen


def _line(totals: Totals) -> str:
    cells = (
        (f"{totals.turns}", 8),
        (f"{100 * totals.failure_rate:.1f} %", 8),
        (f"{100 * totals.withdrawn_rate:.1f} %", 11),
        (_number(totals.tokens_per_second), 8),
        (_number(totals.first_token_p50_ms), 11),
        (_number(totals.first_token_p95_ms), 11),
        (_number(totals.mean_length), 8),
    )
    return "".join(text.rjust(width) for text, width in cells)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"
