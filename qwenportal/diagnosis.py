"""Look at the whole installation, as doctor and the report show it: one row per check, in the current language.

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
from django.utils.translation import gettext as _

from audit.guards import missing_guards
from audit.models import AuditChain, AuditEvent
from audit.naming import name_of
from chat.plans import stand_ins
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
from registry.wording import in_words, or_in_general
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
    yield Row(
        "settings",
        _("mode"),
        "ok",
        _("%(mode)s, data in %(folder)s") % {"mode": portal.mode, "folder": portal.data_dir},
    )
    for fault in run_checks():
        if not fault.is_silenced():
            text = or_in_general(
                " ".join(str(fault.msg).split()),
                _("a check of the settings found a fault; `manage.py doctor` has its text"),
            )
            yield Row("settings", str(fault.id), "fail" if fault.is_serious() else "warn", text)
    yield from (Row("settings", name, "warn", why) for name, why in _weak_settings())


def _weak_settings() -> Iterator[tuple[str, str]]:
    portal = settings.PORTAL
    if portal.mode == "embedded":
        if not portal.is_local:
            yield (
                "PORTAL_MODE",
                _("embedded, although other machines can reach the portal: no https is demanded"),
            )
        return
    if portal.sandbox != "strict":
        yield "PORTAL_SANDBOX", _("best-effort in production: the worker runs with whatever layers there are")
    if portal.engine == "scripted":
        yield "PORTAL_ENGINE", _("scripted in production: answers are not a model's")
    if portal.model_signatures != "required":
        yield "PORTAL_MODEL_SIGNATURES", _("optional in production: nobody has to vouch for a model file")
    if not portal.trusted_proxies:
        yield (
            "PORTAL_TRUSTED_PROXIES",
            _("0 in production: no proxy is believed, every page redirects to https"),
        )


def examine_store() -> Iterator[Row]:
    """Check database, migrations, keys, guards and the heads of the audit chains."""
    try:
        connection.ensure_connection()
        executor = MigrationExecutor(connection)
        missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    except DatabaseError as error:
        yield Row(
            "database",
            _("connection"),
            "fail",
            _("cannot be used (%(error)s)") % {"error": type(error).__name__},
        )
        return
    yield Row("database", _("connection"), "ok", connection.vendor)
    lacking = _("%(n)s missing; run `manage.py migrate`") % {"n": missing}
    wanted = lacking if missing else _("all applied")
    yield Row("database", _("migrations"), "fail" if missing else "ok", wanted)
    yield _keys()
    if not missing:
        yield from _walls()
        yield from _audit()
        yield _rules()
        yield from _approvals()


def _walls() -> Iterator[Row]:
    """Check PostgreSQL's second wall between organisations, and that the role is bound by it."""
    if connection.vendor != "postgresql":
        told = _("%(vendor)s has none; the program keeps tenants apart") % {"vendor": connection.vendor}
        yield Row("database", _("walls"), "ok", told)
        return
    missing = missing_walls(connection)
    whole = _("row-level security on %(n)s tables") % {"n": len(walled_tables())}
    yield Row(
        "database",
        _("walls"),
        "fail" if missing else "ok",
        _("none on %(tables)s") % {"tables": ", ".join(missing)} if missing else whole,
    )
    fault = role_fault(connection)
    bad: Verdict = "fail" if settings.PORTAL.mode == "production" else "warn"
    yield Row(
        "database", _("role"), bad if fault else "ok", in_words(fault) or _("bound by row-level security")
    )


def _keys() -> Row:
    try:
        check_keys()
    except KeyUnavailable as error:
        general = _("the key file cannot be used; `manage.py doctor` says why")
        return Row("keys", _("key file"), "fail", or_in_general(str(error), general))
    return Row("keys", _("key file"), "ok", _("data keys can be wrapped and opened"))


def _audit() -> Iterator[Row]:
    guards = missing_guards(connection)
    yield Row("audit", _("guards"), "fail" if guards else "ok", ", ".join(guards) or _("append-only"))
    chains = list(AuditChain.objects.all())
    torn = [name_of(chain.tenant_id) for chain in chains if not _has_its_head(chain)]
    broken = _("broken: %(chains)s; `audit verify` reads them whole") % {"chains": ", ".join(torn)}
    whole = _("%(n)s chains end where they should; `audit verify` reads them whole") % {"n": len(chains)}
    yield Row("audit", _("chain heads"), "fail" if torn else "ok", broken if torn else whole)


def _rules() -> Row:
    guards = missing_rule_guards(connection)
    return Row(
        "policy",
        _("guards"),
        "fail" if guards else "ok",
        ", ".join(guards) or _("published rules never change"),
    )


def _approvals() -> Iterator[Row]:
    """Check what holds decisions about models, and name active models that were stopped or that nobody approved."""
    guards = missing_model_guards(connection)
    yield Row(
        "model",
        _("guards"),
        "fail" if guards else "ok",
        ", ".join(guards) or _("decisions cannot be changed"),
    )
    unlisted = [path.name for path in unlisted_files()]
    stray = _("no artefact names %(files)s; import again, or remove") % {"files": ", ".join(unlisted)}
    told = stray if unlisted else _("every file belongs to an artefact")
    yield Row("model", _("store"), "warn" if unlisted else "ok", told)
    for alert in model_alerts():
        yield Row("model", alert.artifact.label, "fail" if alert.is_stopped else "warn", str(alert.text))
    for artifact in stand_ins():
        told = _("%(name)s answers in the place of a model that was stopped") % {"name": artifact.label}
        yield Row("model", _("stand-in"), "warn", told)


def _has_its_head(chain: AuditChain) -> bool:
    """Compare a chain's head with its last event. A server may add events meanwhile, so the head is read first."""
    events = AuditEvent.objects.filter(tenant_id=chain.tenant_id)
    return chain.seq == 0 or events.filter(seq=chain.seq, hash=chain.hash).exists()


def models_in_use() -> list[ModelArtifact]:
    """Return the active models and what stands in for one, none where the database cannot say."""
    try:
        return [*active_artifacts(), *stand_ins()] if settings.PORTAL.engine != "scripted" else []
    except DatabaseError:
        return []


def examine_model(artifact: ModelArtifact) -> Row:
    """Hash a model's file and check its signature."""
    found = look_at(artifact).detail
    general = _("the file or its signature no longer holds; the model is not used")
    told = or_in_general(found, general) if found else _("SHA-256 %(digest)s… as imported")
    name = f"{artifact.name} {artifact.quantisation}"
    return Row("model", name, "fail" if found else "ok", told.replace("%(digest)s", artifact.sha256[:16]))


def config_for(artifact: ModelArtifact | None) -> PoolConfig:
    """Return how a worker of this installation runs. Without a model it says at least how the cage is."""
    if artifact is None:
        return PoolConfig(None, SCRIPTED_MODEL, "scripted", slots=1, sandbox=settings.PORTAL.sandbox)
    return caged(artifact)


def describe_worker(seen: Examination, *, trials: Iterable[ThreadTrial] = ()) -> Iterator[Row]:
    """Say what a worker has become, and each layer and attempt of its cage."""
    if seen.report is None:
        yield Row("engine", _("start"), "fail", in_words(seen.error))
    else:
        what, spent = f"{seen.report.engine}, {seen.report.backend}", f"{seen.load_s:.1f}"
        told = _("%(what)s, in %(spent)s s") % {"what": what, "spent": spent}
        yield Row("engine", _("start"), "ok", told)
        chosen = "" if settings.PORTAL.threads else _(", chosen by itself")
        yield Row("engine", _("threads"), "ok", f"{seen.report.threads}{chosen}")
        for trial in trials:
            speeds = {"quiet": f"{trial.quiet:.1f}", "busy": f"{trial.busy:.1f}"}
            figures = _("%(quiet)s tokens/s alone, %(busy)s beside a busy core") % speeds
            yield Row("engine", _("trial with %(n)s threads") % {"n": trial.threads}, "ok", figures)
        yield _memory(seen)
    yield from describe_cage(seen.cage)


def _memory(seen: Examination) -> Row:
    machine = memory.machine_bytes() or 0
    sizes = {"own": seen.own_bytes >> 20, "limit": seen.limit_bytes >> 20, "machine": machine >> 20}
    detail = _("%(own)s MiB taken, at most %(limit)s MiB of %(machine)s MiB") % sizes
    return Row("engine", _("memory"), "warn" if 0 < machine < seen.limit_bytes else "ok", detail)


def describe_cage(cage: Iterable[LayerCheck]) -> Iterator[Row]:
    """Return a row for the whole, and one per layer and attempt. What does not hold is a fault where it is demanded."""
    checks = tuple(cage)
    bad: Verdict = "fail" if settings.PORTAL.sandbox == "strict" else "warn"
    refused, made = sum_up(checks)
    whole = not breaches(checks)
    told = _("%(refused)s of %(made)s attempts refused") % {"refused": refused, "made": made}
    yield Row("sandbox", settings.PORTAL.sandbox, "ok" if whole else bad, told)
    silent = tuple(check for check in breaches(checks) if check not in checks)
    for check in (*checks, *silent):
        layer = _(LAYERS.get(check.layer, check.layer))
        what = _(ATTEMPTS.get(check.attempt, check.attempt))
        outcome = (_("in force") if check.holds else _("missing")) if check.attempt == IN_FORCE else ""
        outcome = outcome or (_("refused") if check.holds else _("NOT refused"))
        name = layer if check.attempt == IN_FORCE else f"{layer}: {what}"
        detail = f"{outcome} ({in_words(check.detail)})" if check.detail else outcome
        yield Row("sandbox", name, "ok" if check.holds else bad, detail)


def engine_wanted() -> Row:
    """Say which engine the settings mean here."""
    wanted = settings.PORTAL.engine
    return Row(
        "engine", _("choice"), "ok", f"{wanted}: {choose_engine(wanted)}" if wanted == "auto" else wanted
    )
