"""Say who looks at the model pages: what they may do, and which artefacts exist for them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet

from accounts.models import User
from accounts.roles import MODEL_APPROVE, MODEL_CHOOSE, MODEL_MANAGE
from common.errors import NotFound
from registry.models import ModelArtifact, Status

# What an organisation's people see has been submitted once, or is in use by a waiver.
DRAFTS = (Status.IMPORTED, Status.EVALUATED)


@dataclass(frozen=True, slots=True)
class Viewer:
    """One person at the model pages; an operator belongs to no organisation."""

    account: User
    tenant_id: UUID | None
    may_manage: bool
    may_approve: bool
    may_choose: bool

    @classmethod
    def of(cls, account: User) -> Viewer:
        """Return what this account may do."""
        return cls(
            account=account,
            tenant_id=account.tenant_id,
            may_manage=account.has_permission(MODEL_MANAGE),
            may_approve=account.has_permission(MODEL_APPROVE),
            may_choose=account.has_permission(MODEL_CHOOSE),
        )

    def artifacts(self) -> QuerySet[ModelArtifact]:
        """Return what exists for the person: everything for operators, for others nothing that is still a draft."""
        rows: QuerySet[ModelArtifact] = ModelArtifact.objects.all()
        if self.may_manage:
            return rows
        seen = rows.exclude(status__in=DRAFTS)
        return seen.exclude(status=Status.RETIRED, submitted_at=None, activated_at=None)

    def artifact(self, artifact_id: UUID) -> ModelArtifact:
        """Return one of them. Raises NotFound."""
        row = self.artifacts().filter(pk=artifact_id).first()
        if row is None:
            raise NotFound
        return row


def names_of(account_ids: Iterable[UUID | None]) -> dict[UUID, str]:
    """Return the names of people who still have an account."""
    wanted = {account_id for account_id in account_ids if account_id is not None}
    return dict(User.objects.filter(pk__in=wanted).values_list("pk", "display_name"))
