"""Show how an inference pool is, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext, pgettext

from chat.runtime import Runtime
from inference.engine import WorkerReport
from inference.pool import PoolStatus


@dataclass(frozen=True, slots=True)
class Fact:
    """One line about a pool; `tone` is that of a badge where somebody should look at it."""

    label: str
    value: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class ShownPool:
    """A pool as its operator reads it; `model` is named where there are several."""

    state: str
    facts: list[Fact]
    model: str = ""


def show_pools(process: Runtime) -> list[ShownPool]:
    """Return every pool that organisations are sent to. Before there is one, only the state is known."""
    pools = process.serving.pools
    shown = [
        ShownPool(
            pool.state, facts_of(pool.status(), pool.report), pool.config.model.name if len(pools) > 1 else ""
        )
        for pool in pools
    ]
    return shown or [ShownPool(process.state, [])]


def facts_of(status: PoolStatus, report: WorkerReport | None = None) -> list[Fact]:
    """Return the lines about a pool."""
    facts = [
        Fact(gettext("Answers under way"), f"{status.running} / {status.slots}"),
        Fact(gettext("Waiting"), str(status.queued)),
        *_worker(status),
        *(_engine(report) if report else ()),
        _standby(status),
        _circuit(status),
        Fact(gettext("Restarts after a failure"), str(status.restarts)),
        Fact(gettext("Replaced as planned"), _recycles(status)),
    ]
    if status.draining:
        facts.append(Fact(gettext("Workers finishing their answers"), str(status.draining)))
    return facts


def _worker(status: PoolStatus) -> list[Fact]:
    if status.state != "ready":
        return []
    hours, minutes = divmod(status.uptime_s // 60, 60)
    since = gettext("%(hours)d h %(minutes)d min") % {"hours": hours, "minutes": minutes}
    return [
        Fact(gettext("Worker process"), f"{status.worker_pid} · {since}"),
        Fact(gettext("Answers of this worker"), f"{status.turns:,}"),
        _speed(status),
        Fact(gettext("Its own memory"), _memory(status)),
    ]


def _engine(report: WorkerReport) -> Iterator[Fact]:
    yield Fact(gettext("Engine"), f"{report.engine} · {report.backend}")
    yield Fact(gettext("Threads"), str(report.threads))
    if report.trials:
        trials = [f"{trial.threads}: {trial.quiet:.0f} / {trial.busy:.0f}" for trial in report.trials]
        yield Fact(gettext("Tokens/s by threads, alone / beside a busy core"), " · ".join(trials))


def _speed(status: PoolStatus) -> Fact:
    value = gettext("%(speed).1f tokens/s") % {"speed": status.tokens_per_second} if status.turns else "—"
    if status.is_slow:
        slow = gettext("far slower than before")
        return Fact(gettext("Speed"), f"{value} · {slow}", "warn")
    return Fact(gettext("Speed"), value)


def _memory(status: PoolStatus) -> str:
    own = f"{status.own_bytes >> 20:,} MiB"
    return f"{own} / {status.soft_bytes >> 20:,} MiB" if status.soft_bytes else own


def _standby(status: PoolStatus) -> Fact:
    words = {
        "off": pgettext("standby", "none"),
        "wanted": gettext("none now: too little memory, or about to start"),
        "loading": gettext("loading"),
        "ready": gettext("ready"),
    }
    tone = "ok" if status.standby == "ready" else ""
    return Fact(gettext("Standby worker"), words[status.standby], tone)


def _circuit(status: PoolStatus) -> Fact:
    words = {
        "closed": pgettext("circuit", "normal"),
        "open": gettext("given up; a try every 30 s"),
        "half-open": gettext("on trial: one answer at a time"),
    }
    tone = {"closed": "", "open": "danger", "half-open": "warn"}[status.circuit]
    return Fact(gettext("Starting of workers"), words[status.circuit], tone)


def _recycles(status: PoolStatus) -> str:
    if status.last_recycle_at is None:
        return str(status.recycles)
    reasons = {
        "request": gettext("on request"),
        "turns": gettext("after many answers"),
        "nightly": gettext("at night"),
        "slow": gettext("it had become slow"),
        "memory": gettext("it had grown"),
        "stuck": gettext("an answer was stuck"),
    }
    at = timezone.localtime(datetime.fromtimestamp(status.last_recycle_at, UTC))
    reason = reasons.get(status.last_recycle, status.last_recycle)
    return f"{status.recycles} · {date_format(at, 'Y-m-d H:i')} · {reason}"
