"""Store which model files have been imported, who let them in, and what became of them.

People stand here as account ids without foreign keys: a deleted account takes nothing with it. The database itself
keeps what must not change (see registry.guards).
"""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from common import clock
from registry.errors import ArtifactFixed
from registry.evaluations import EvaluationResult, ItemVerdict, ModelEvaluation
from tenants.models import TenantModel

# Django looks for tables in this module.
EVALUATION_TABLES = (ModelEvaluation, EvaluationResult, ItemVerdict)


class Status(models.TextChoices):
    """How far an artefact has come; docs/models.md has the picture."""

    IMPORTED = "imported", _("Imported")
    EVALUATED = "evaluated", _("Evaluated")
    SUBMITTED = "submitted", _("Awaiting approval")
    APPROVED = "approved", _("Approved")
    ACTIVE = "active", _("In use")
    REJECTED = "rejected", _("Rejected")
    RETIRED = "retired", _("Retired")


# What may follow what. Waiving, on the embedded default, leads from IMPORTED to APPROVED, and only what was waived can
# be submitted from there.
TRANSITIONS: dict[str, frozenset[str]] = {
    Status.IMPORTED: frozenset({Status.EVALUATED, Status.APPROVED, Status.RETIRED}),
    Status.EVALUATED: frozenset({Status.SUBMITTED, Status.APPROVED, Status.RETIRED}),
    Status.SUBMITTED: frozenset({Status.APPROVED, Status.REJECTED, Status.RETIRED}),
    Status.APPROVED: frozenset({Status.ACTIVE, Status.SUBMITTED, Status.RETIRED}),
    Status.ACTIVE: frozenset({Status.APPROVED, Status.SUBMITTED, Status.RETIRED}),
    Status.REJECTED: frozenset({Status.EVALUATED, Status.RETIRED}),
    Status.RETIRED: frozenset(),
}


UNSUBMITTED = frozenset({Status.IMPORTED, Status.EVALUATED, Status.REJECTED})


class FileState(models.TextChoices):
    """What the last look at the stored file found."""

    OK = "ok", _("Unchanged")
    MISMATCH = "mismatch", _("Changed")
    MISSING = "missing", _("Missing")


class SignatureState(models.TextChoices):
    """What the last look at the signature found; VALID only under a key that the settings trust."""

    NONE = "none", _("None")
    VALID = "valid", _("Valid")
    REVOKED = "revoked", _("Key revoked")


class Decision(models.TextChoices):
    """What a second person decided; WAIVE stands for nobody, on the embedded default only."""

    APPROVE = "approve", _("Approved")
    REJECT = "reject", _("Rejected")
    WAIVE = "waive", _("Waived")


class FixedRowsQuerySet(models.QuerySet[Any]):
    """Rows that are written once: only the model's CHANGING fields may be updated, and nothing is deleted."""

    def update(self, **values: Any) -> int:
        """Update CHANGING fields. Raises ArtifactFixed for any other."""
        if not values.keys() <= self.model.CHANGING:
            raise ArtifactFixed
        return super().update(**values)

    update.alters_data = True  # type: ignore[attr-defined]

    def delete(self) -> tuple[int, dict[str, int]]:
        """Refuse."""
        raise ArtifactFixed

    delete.alters_data = True  # type: ignore[attr-defined]


class FixedRow(models.Model):
    """A row that is written once, but for its CHANGING fields."""

    CHANGING: ClassVar[frozenset[str]] = frozenset()

    objects: ClassVar[models.Manager[Any]] = models.Manager.from_queryset(FixedRowsQuerySet)()

    class Meta:
        abstract = True
        base_manager_name = "objects"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert the row, or update CHANGING fields that are named. Raises ArtifactFixed for anything else."""
        fields = frozenset(kwargs.get("update_fields") or ())
        if not self._state.adding and not (fields and fields <= self.CHANGING):
            raise ArtifactFixed
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Refuse."""
        raise ArtifactFixed


class ModelArtifact(FixedRow):
    """An immutable model file, known by its SHA-256 and shown as r1, r2, … of the installation.

    What the file says of itself was read once, at the import. `signature` is the detached signature as it was given,
    which may still come before the artefact is submitted; the rest of CHANGING is the state of its life.
    """

    CHANGING = frozenset(
        {
            "status",
            "activated_at",
            "file_state",
            "checked_at",
            "signature_state",
            "signature",
            "signature_key",
            "thresholds_missed",
            "submitted_by",
            "submitted_at",
        }
    )

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    revision = models.PositiveIntegerField(unique=True, editable=False)
    sha256 = models.CharField(max_length=64, unique=True, editable=False)
    size_bytes = models.BigIntegerField(editable=False)
    file_name = models.CharField(max_length=200, blank=True, default="")
    name = models.CharField(max_length=120)
    format = models.CharField(max_length=8, default="gguf")
    architecture = models.CharField(max_length=120)
    parameter_count = models.BigIntegerField(default=0)
    quantisation = models.CharField(max_length=16)
    context_tokens = models.PositiveIntegerField()
    licence = models.CharField(max_length=120, blank=True)
    chat_template = models.TextField(blank=True, default="")
    template_warnings = models.JSONField(default=list)
    tokenizer_digest = models.CharField(max_length=64, blank=True, default="")

    source = models.CharField(max_length=120)
    catalogue_key = models.CharField(max_length=64, blank=True, default="")
    is_starter = models.BooleanField(default=False)
    imported_by = models.UUIDField(null=True, editable=False)
    imported_at = models.DateTimeField(default=clock.now, editable=False)
    portal_version = models.CharField(max_length=32, blank=True, default="")

    signature = models.TextField(blank=True, default="")
    signature_key = models.CharField(max_length=64, blank=True, default="")
    signature_state = models.CharField(
        max_length=8, choices=SignatureState.choices, default=SignatureState.NONE
    )
    file_state = models.CharField(max_length=8, choices=FileState.choices, default=FileState.OK)
    checked_at = models.DateTimeField(default=clock.now)

    status = models.CharField(max_length=12, choices=Status.choices, default=Status.IMPORTED)
    thresholds_missed = models.PositiveSmallIntegerField(default=0)
    submitted_by = models.UUIDField(null=True)
    submitted_at = models.DateTimeField(null=True)
    activated_at = models.DateTimeField(null=True, editable=False)

    class Meta(FixedRow.Meta):
        abstract = False
        ordering = ("-revision",)

    def __str__(self) -> str:
        return f"{self.name} {self.sha256[:12]}"

    @property
    def label(self) -> str:
        """Return the revision as people say it."""
        return f"r{self.revision}"

    @property
    def path(self) -> Path:
        """Return where the file lies: read-only, named by its digest."""
        return Path(settings.PORTAL.models_dir) / f"{self.sha256}.{self.format}"

    @property
    def is_sound(self) -> bool:
        """Return whether nothing speaks against running it: file as imported, no revoked key."""
        return self.file_state == FileState.OK and self.signature_state != SignatureState.REVOKED


class ModelApproval(FixedRow):
    """One decision of a second person; `tenant_id` is the organisation it counts for, None: the installation.

    `account_id` is None for a waiver only.
    """

    artifact = models.ForeignKey(ModelArtifact, on_delete=models.PROTECT, related_name="approvals")
    account_id = models.UUIDField(null=True)
    role = models.CharField(max_length=16, blank=True)
    tenant_id = models.UUIDField(null=True)
    decision = models.CharField(max_length=8, choices=Decision.choices)
    reason = models.TextField(blank=True)
    at = models.DateTimeField(default=clock.now)

    class Meta(FixedRow.Meta):
        abstract = False
        ordering = ("at", "id")

    def __str__(self) -> str:
        return f"{self.decision} of {self.artifact}"


class EventKind(models.TextChoices):
    """What can happen to an artefact; each is also an action of the audit log, `model.` and the value."""

    IMPORT = "import", _("Imported")
    EVALUATE = "evaluate", _("Evaluated")
    SUBMIT = "submit", _("Submitted")
    APPROVE = "approve", _("Approved")
    REJECT = "reject", _("Rejected")
    WAIVE = "waive", _("Approval waived")
    ACTIVATE = "activate", _("Activated")
    ROLLBACK = "rollback", _("Rolled back to")
    RETIRE = "retire", _("Retired")
    MISMATCH = "mismatch", _("File or signature no longer holds")
    CHOOSE = "choose", _("Chosen by an organisation")


class ModelEvent(FixedRow):
    """One thing that happened to an artefact, for the timeline; `other` is the artefact it took over from."""

    artifact = models.ForeignKey(ModelArtifact, on_delete=models.PROTECT, related_name="events")
    kind = models.CharField(max_length=12, choices=EventKind.choices)
    at = models.DateTimeField(default=clock.now)
    account_id = models.UUIDField(null=True)
    tenant_id = models.UUIDField(null=True)
    reason = models.TextField(blank=True)
    other = models.ForeignKey(ModelArtifact, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta(FixedRow.Meta):
        abstract = False
        ordering = ("-at", "-id")

    def __str__(self) -> str:
        return f"{self.kind} of {self.artifact}"


class TenantModelChoice(TenantModel):
    """Which of the approved models an organisation uses; without a row it follows the installation."""

    artifact = models.ForeignKey(ModelArtifact, on_delete=models.PROTECT, related_name="+")
    account_id = models.UUIDField()
    at = models.DateTimeField(default=clock.now)

    class Meta(TenantModel.Meta):
        abstract = False
        constraints = (models.UniqueConstraint(fields=("tenant",), name="one_model_choice_per_tenant"),)

    def __str__(self) -> str:
        return f"{self.tenant_id} uses {self.artifact_id}"
