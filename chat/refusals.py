"""Record why a turn did not run, outside the transaction that was refused."""

from __future__ import annotations

from dataclasses import dataclass

from audit.errors import AuditUnavailable
from audit.services import record_event
from chat.requests import Person
from common.errors import PortalError
from common.threads import in_database_thread
from policy.errors import ConsentInPlace, PromptStopped


@dataclass(frozen=True, slots=True)
class _Trace:
    """What the audit log says of a refusal."""

    action: str
    object_type: str
    object_id: str


_TRACES = {
    "rate_limited": _Trace("ratelimit.reject", "limit", "rate_per_minute"),
    "busy": _Trace("ratelimit.reject", "limit", "running_per_person"),
    "tenant_busy": _Trace("ratelimit.reject", "limit", "running_per_tenant"),
    "quota_turns": _Trace("ratelimit.reject", "limit", "turns_per_day"),
    "quota_tokens": _Trace("ratelimit.reject", "limit", "tokens_per_day"),
    "not_kept": _Trace("access.denied", "limit", "persistence"),
    "queue_full": _Trace("queue.reject", "limit", "queue_length"),
    "queue_timeout": _Trace("queue.timeout", "limit", "queue_timeout"),
    "too_long": _Trace("policy.block_input", "limit", "length"),
    "policy_unavailable": _Trace("policy.block_input", "limit", "policy_unavailable"),
    "engine_unavailable": _Trace("queue.reject", "engine", "unavailable"),
    "engine_failed": _Trace("chat.failed", "engine", "failed"),
    "consent_required": _Trace("access.denied", "permission", "consent"),
    "not_found": _Trace("access.denied", "conv", "unknown"),
    "bad_request": _Trace("access.denied", "conv", "unknown"),
}


def record(error: PortalError, *, person: Person) -> PortalError:
    """Record the refusal and return what the person is told: the error, or that the log cannot be written."""
    trace = _TRACES.get(error.code)
    version = ""
    if isinstance(error, PromptStopped) and error.decision.rule is not None:
        action = "consent.sensitive" if isinstance(error, ConsentInPlace) else "policy.block_input"
        trace, version = _Trace(action, "rule", error.decision.rule.code), error.policy_version
    if trace is None:
        return error
    try:
        record_event(
            action=trace.action,
            tenant_id=person.tenant_id,
            actor=person.account_id,
            object_type=trace.object_type,
            object_id=trace.object_id,
            outcome="refused",
            status=error.http_status,
            ip=person.ip,
            policy_version=version,
        )
    except AuditUnavailable as unavailable:
        return unavailable
    return error


arecord = in_database_thread(record)
