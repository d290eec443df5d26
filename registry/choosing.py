"""Say which models run, which an organisation may use, and which it uses.

A model may be used where it is active and sound (file as imported, no revoked key) and approved: for the installation
or by the organisation's own officer, who can also keep it out. In production a waiver is no approval.
"""

from __future__ import annotations

from uuid import UUID

from accounts.models import User
from accounts.roles import MODEL_CHOOSE
from common import clock
from common.access import PermissionMissing
from registry.announcing import announce_change
from registry.errors import NotApprovedHere
from registry.history import act, remember
from registry.lifecycle import is_approved_for_all, latest_decision
from registry.models import (
    Decision,
    EventKind,
    FileState,
    ModelArtifact,
    SignatureState,
    Status,
    TenantModelChoice,
)
from tenants.models import Tenant
from tenants.scope import tenant_scope


def active_artifacts() -> list[ModelArtifact]:
    """Return what may run now, the most recently activated first: active, sound, and approved by somebody."""
    return [row for row in _sound_active() if _is_approved_somewhere(row)]


def active_artifact() -> ModelArtifact | None:
    """Return the first of those that may run, or None."""
    return next(iter(active_artifacts()), None)


def models_for(tenant_id: UUID) -> list[ModelArtifact]:
    """Return what an organisation may use now, the most recently activated first."""
    return [row for row in _sound_active() if is_approved_for(row, tenant_id=tenant_id)]


def model_of(tenant_id: UUID) -> ModelArtifact | None:
    """Return what an organisation uses: its choice while it may use it, else the first it may use, else None."""
    usable = models_for(tenant_id)
    chosen = chosen_artifact_id(tenant_id) if len(usable) > 1 else None
    return next((row for row in usable if row.pk == chosen), None) or next(iter(usable), None)


def chosen_artifact_id(tenant_id: UUID) -> UUID | None:
    """Return what an organisation has chosen, whether or not it may use it now."""
    with tenant_scope(tenant_id):
        chosen: UUID | None = TenantModelChoice.objects.values_list("artifact_id", flat=True).first()
    return chosen


def is_approved_for(artifact: ModelArtifact, *, tenant_id: UUID | None) -> bool:
    """Return whether the artefact is approved for an organisation; None: for the whole installation."""
    own = latest_decision(artifact, tenant_id=tenant_id) if tenant_id else None
    if own is not None:
        return own == Decision.APPROVE
    return is_approved_for_all(artifact)


def choose_for_tenant(tenant: Tenant, artifact: ModelArtifact | None, *, by: User) -> None:
    """Let an organisation use one of its models, or, with None, follow the installation.

    Raises PermissionMissing unless `by` chooses for the own organisation, and NotApprovedHere.
    """
    with act(EventKind.CHOOSE, artifact, by=by, tenant_id=tenant.id), tenant_scope(tenant.id):
        if by.tenant_id != tenant.id or not by.has_permission(MODEL_CHOOSE):
            raise PermissionMissing(MODEL_CHOOSE)
        if artifact is not None and artifact not in models_for(tenant.id):
            raise NotApprovedHere
        TenantModelChoice.objects.all().delete()
        if artifact is not None:
            TenantModelChoice(tenant=tenant, artifact=artifact, account_id=by.id, at=clock.now()).save()
            remember(EventKind.CHOOSE, artifact, by=by, tenant_id=tenant.id)
        announce_change()


def _sound_active() -> list[ModelArtifact]:
    return list(
        ModelArtifact.objects.filter(status=Status.ACTIVE, file_state=FileState.OK)
        .exclude(signature_state=SignatureState.REVOKED)
        .order_by("-activated_at")
    )


def _is_approved_somewhere(artifact: ModelArtifact) -> bool:
    return (
        is_approved_for(artifact, tenant_id=None)
        or artifact.approvals.filter(tenant_id__isnull=False, decision=Decision.APPROVE).exists()
    )
