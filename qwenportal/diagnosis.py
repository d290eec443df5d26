"""Look at the whole installation, as `manage.py doctor` shows it: one row per check, in plain English.

Nothing is changed and no lock is taken, so it may run beside a server on the same data.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from django.conf import settings
from django.core.checks import run_checks
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from audit.guards import missing_guards
from audit.models import AuditChain, AuditEvent
from audit.naming import name_of
from crypto.errors import KeyUnavailable
from crypto.services import check_keys
from inference import memory
from inference.cage.names import ATTEMPTS, IN_FORCE, LAYERS, breaches, sum_up
from inference.config import SCRIPTED_MODEL, PoolConfig
from inference.engine import LayerCheck, ThreadTrial
from inference.engines.choice import choose_engine
from inference.examination import Examination
from policy.guards import missing_guards as missing_rule_guards
from registry.alerts import model_alerts
from registry.choosing import active_artifacts
from registry.evaluation import caged
from registry.guards import missing_guards as missing_model_guards
from registry.models import ModelArtifact
from registry.store import unlisted_files
from registry.verifying import look_at
from tenants.walls import missing_walls, role_fault, walled_tables

Verdict = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Row:
    """One check. `area` groups rows; `detail` says what was found and holds nothing that a person wrote."""

    area: str
    check: str
    verdict: Verdict
    detail: str


def examine_settings() -> Iterator[Row]:
    """Check what the settings say, and name those that weaken the portal."""
    portal = settings.PORTAL
    yield Row("settings", "mode", "ok", f"{portal.mode}, data in {portal.data_dir}")
    for fault in run_checks():
        if not fault.is_silenced():
            text = " ".join(str(fault.msg).split())
            yield Row("settings", str(fault.id), "fail" if fault.is_serious() else "warn", text)
    yield from (Row("settings", name, "warn", why) for name, why in _weak_settings())


def _weak_settings() -> Iterator[tuple[str, str]]:
    portal = settings.PORTAL
    if portal.mode == "embedded":
        if not portal.is_local:
            yield (
                "PORTAL_MODE",
                "embedded, although other machines can reach the portal: no https is demanded",
            )
        return
    if portal.sandbox != "strict":
        yield "PORTAL_SANDBOX", "best-effort in production: the worker runs with whatever layers there are"
    if portal.engine == "scripted":
        yield "PORTAL_ENGINE", "scripted in production: answers are not a model's"
    if portal.model_signatures != "required":
        yield "PORTAL_MODEL_SIGNATURES", "optional in production: nobody has to vouch for a model file"
    if not portal.trusted_proxies:
        yield "PORTAL_TRUSTED_PROXIES", "0 in production: no proxy is believed, every page redirects to https"


def examine_store() -> Iterator[Row]:
    """Check database, migrations, keys, guards and the heads of the audit chains."""
    try:
        connection.ensure_connection()
        executor = MigrationExecutor(connection)
        missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    except DatabaseError as error:
        yield Row("database", "connection", "fail", f"cannot be used ({type(error).__name__})")
        return
    yield Row("database", "connection", "ok", connection.vendor)
    wanted = f"{missing} missing; run `manage.py migrate`" if missing else "all applied"
    yield Row("database", "migrations", "fail" if missing else "ok", wanted)
    yield _keys()
    if not missing:
        yield from _walls()
        yield from _audit()
        yield _rules()
        yield from _approvals()


def _walls() -> Iterator[Row]:
    """Check PostgreSQL's second wall between organisations, and that the role is bound by it."""
    if connection.vendor != "postgresql":
        yield Row("database", "walls", "ok", f"{connection.vendor} has none; the program keeps tenants apart")
        return
    missing = missing_walls(connection)
    whole = f"row-level security on {len(walled_tables())} tables"
    yield Row(
        "database",
        "walls",
        "fail" if missing else "ok",
        f"none on {', '.join(missing)}" if missing else whole,
    )
    fault = role_fault(connection)
    bad: Verdict = "fail" if settings.PORTAL.mode == "production" else "warn"
    yield Row("database", "role", bad if fault else "ok", fault or "bound by row-level security")


def _keys() -> Row:
    try:
        check_keys()
    except KeyUnavailable as error:
        return Row("keys", "key file", "fail", str(error))
    return Row("keys", "key file", "ok", "data keys can be wrapped and opened")


def _audit() -> Iterator[Row]:
    guards = missing_guards(connection)
    yield Row("audit", "guards", "fail" if guards else "ok", ", ".join(guards) or "append-only")
    chains = list(AuditChain.objects.all())
    torn = [name_of(chain.tenant_id) for chain in chains if not _has_its_head(chain)]
    detail = f"broken: {', '.join(torn)}" if torn else f"{len(chains)} chains end where they should"
    yield Row("audit", "chain heads", "fail" if torn else "ok", f"{detail}; `audit verify` reads them whole")


def _rules() -> Row:
    guards = missing_rule_guards(connection)
    return Row(
        "policy", "guards", "fail" if guards else "ok", ", ".join(guards) or "published rules never change"
    )


def _approvals() -> Iterator[Row]:
    """Check what holds decisions about models, and name active models that were stopped or that nobody approved."""
    guards = missing_model_guards(connection)
    yield Row(
        "model", "guards", "fail" if guards else "ok", ", ".join(guards) or "decisions cannot be changed"
    )
    unlisted = [path.name for path in unlisted_files()]
    told = "no artefact names " + ", ".join(unlisted) + "; import again, or remove" if unlisted else ""
    yield Row("model", "store", "warn" if unlisted else "ok", told or "every file belongs to an artefact")
    for alert in model_alerts():
        yield Row("model", alert.artifact.label, "fail" if alert.is_stopped else "warn", str(alert.text))


def _has_its_head(chain: AuditChain) -> bool:
    """Compare a chain's head with its last event. A server may add events meanwhile, so the head is read first."""
    events = AuditEvent.objects.filter(tenant_id=chain.tenant_id)
    return chain.seq == 0 or events.filter(seq=chain.seq, hash=chain.hash).exists()


def models_in_use() -> list[ModelArtifact]:
    """Return the active models, none where the database cannot say."""
    try:
        return active_artifacts() if settings.PORTAL.engine != "scripted" else []
    except DatabaseError:
        return []


def examine_model(artifact: ModelArtifact) -> Row:
    """Hash a model's file and check its signature."""
    found = look_at(artifact).detail
    name = f"{artifact.name} {artifact.quantisation}"
    return Row(
        "model", name, "fail" if found else "ok", found or f"SHA-256 {artifact.sha256[:16]}… as imported"
    )


def config_for(artifact: ModelArtifact | None) -> PoolConfig:
    """Return how a worker of this installation runs. Without a model it says at least how the cage is."""
    if artifact is None:
        return PoolConfig(None, SCRIPTED_MODEL, "scripted", slots=1, sandbox=settings.PORTAL.sandbox)
    return caged(artifact)


def describe_worker(seen: Examination, *, trials: Iterable[ThreadTrial] = ()) -> Iterator[Row]:
    """Say what a worker has become, and each layer and attempt of its cage."""
    if seen.report is None:
        yield Row("engine", "start", "fail", seen.error)
    else:
        yield Row(
            "engine", "start", "ok", f"{seen.report.engine}, {seen.report.library}, in {seen.load_s:.1f} s"
        )
        chosen = "" if settings.PORTAL.threads else ", chosen by itself"
        yield Row("engine", "threads", "ok", f"{seen.report.threads}{chosen}")
        for trial in trials:
            figures = f"{trial.quiet:.1f} tokens/s alone, {trial.busy:.1f} beside a busy core"
            yield Row("engine", f"trial with {trial.threads} threads", "ok", figures)
        yield _memory(seen)
    yield from describe_cage(seen.cage)


def _memory(seen: Examination) -> Row:
    machine = memory.machine_bytes() or 0
    detail = f"{seen.own_bytes >> 20} MiB taken, at most {seen.limit_bytes >> 20} MiB of {machine >> 20} MiB"
    return Row("engine", "memory", "warn" if 0 < machine < seen.limit_bytes else "ok", detail)


def describe_cage(cage: Iterable[LayerCheck]) -> Iterator[Row]:
    """Return a row for the whole, and one per layer and attempt. What does not hold is a fault where it is demanded."""
    checks = tuple(cage)
    bad: Verdict = "fail" if settings.PORTAL.sandbox == "strict" else "warn"
    refused, made = sum_up(checks)
    whole = not breaches(checks)
    yield Row(
        "sandbox", settings.PORTAL.sandbox, "ok" if whole else bad, f"{refused} of {made} attempts refused"
    )
    silent = tuple(check for check in breaches(checks) if check not in checks)
    for check in (*checks, *silent):
        layer = LAYERS.get(check.layer, check.layer)
        what = ATTEMPTS.get(check.attempt, check.attempt)
        outcome = ("in force" if check.holds else "missing") if check.attempt == IN_FORCE else ""
        outcome = outcome or ("refused" if check.holds else "NOT refused")
        name = layer if check.attempt == IN_FORCE else f"{layer}: {what}"
        detail = f"{outcome} ({check.detail})" if check.detail else outcome
        yield Row("sandbox", name, "ok" if check.holds else bad, detail)


def engine_wanted() -> Row:
    """Say which engine the settings mean here."""
    wanted = settings.PORTAL.engine
    return Row("engine", "choice", "ok", f"{wanted}: {choose_engine(wanted)}" if wanted == "auto" else wanted)
