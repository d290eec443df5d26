"""Show the console's screens: statistics and installation. None of them reads a conversation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast
from uuid import UUID

from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_safe

from accounts.models import User
from accounts.roles import CONSOLE_VIEW, INSTALLATION_VIEW
from chat.runtime import runtime
from common.access import require_permission
from console.artifacts import show_artifact
from console.health import installation_checks
from console.pools import show_pools
from console.sandbox import sandbox_of
from console.statistics import Day, last_days, refusals_today
from registry.services import model_of
from tenants.models import Tenant


@dataclass(frozen=True, slots=True)
class Kpi:
    """One figure of the dashboard's top row."""

    label: str
    value: str
    unit: str = ""
    note: str = ""
    tone: str = ""


@require_safe
@require_permission(CONSOLE_VIEW)
def dashboard(request: HttpRequest) -> HttpResponse:
    """Show how the organisation uses the portal."""
    tenant_id = _tenant_id(request)
    days = last_days(tenant_id)
    used = model_of(tenant_id)
    context = {
        "kpis": _kpis(days[0]),
        "days": days,
        "recent_refusals": refusals_today(tenant_id),
        "used": show_artifact(used) if used else None,
        "sandbox": sandbox_of([runtime().serving.pool_of(tenant_id)]),
    }
    return render(request, "console/dashboard.html", context)


@require_safe
@require_permission(INSTALLATION_VIEW)
def installation(request: HttpRequest) -> HttpResponse:
    """Show organisations, model and engine."""
    process = runtime()
    counts = dict(User.objects.order_by().values_list("tenant").annotate(count=Count("pk")))
    tenants = [
        {
            "code": tenant.code,
            "name": tenant.name,
            "accounts": counts.get(tenant.id, 0),
            "is_active": tenant.is_active,
        }
        for tenant in Tenant.objects.all()
    ]
    artifact = process.artifact
    model = artifact and {
        "id": artifact.pk,
        "name": f"{artifact.name} {artifact.quantisation}",
        "digest": artifact.sha256,
        "context_tokens": process.model.context_tokens,
        "size_bytes": artifact.size_bytes,
        "licence": artifact.licence,
        "source": artifact.source,
        "is_starter": artifact.is_starter,
    }
    context = {
        "tenants": tenants,
        "model": model,
        "pools": show_pools(process),
        "sandbox": sandbox_of(process.serving.pools),
        "checks": installation_checks(process),
    }
    return render(request, "console/installation.html", context)


def _tenant_id(request: HttpRequest) -> UUID:
    return cast(UUID, cast(User, request.user).tenant_id)


def _kpis(today: Day) -> list[Kpi]:
    median = today.first_token_p50_ms
    return [
        Kpi(gettext("Requests today"), f"{today.requests:,}"),
        Kpi(gettext("Members active today"), f"{today.members:,}"),
        Kpi(
            gettext("First token, median"),
            "—" if median is None else f"{median / 1000:.1f}",
            "" if median is None else gettext("s"),
        ),
        Kpi(
            gettext("Refusals today"),
            f"{today.refusals:,}",
            note=ngettext("of %(count)d request", "of %(count)d requests", today.requests)
            % {"count": today.requests},
            tone="warn" if today.refusals else "",
        ),
    ]
