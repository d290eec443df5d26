"""Store what evaluations found: figures and verdicts, never an answer.

A verdict keeps a short hash of the answer, so that two runs can be told apart where they differ.
"""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from common import clock


class EvaluationState(models.TextChoices):
    """How far an evaluation came. Only COMPLETE counts; the others keep what was done."""

    RUNNING = "running", _("Running")
    COMPLETE = "complete", _("Complete")
    STOPPED = "stopped", _("Stopped")
    INTERRUPTED = "interrupted", _("Interrupted")
    FAILED = "failed", _("Failed")


class ModelEvaluation(models.Model):
    """One evaluation of one artefact, by a person or, with `account_id` None, by nobody at the terminal.

    `banks` are the names of the banks asked for, `corpora` their versions: name to SHA-256. A quick one, or one that
    leaves banks out, never makes an artefact "evaluated". `done` of `total` items are judged; `phase` is what goes on.
    At most one runs in an installation: the database holds that.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    artifact = models.ForeignKey(
        "registry.ModelArtifact", on_delete=models.PROTECT, related_name="evaluations"
    )
    account_id = models.UUIDField(null=True, editable=False)
    state = models.CharField(max_length=12, choices=EvaluationState.choices, default=EvaluationState.RUNNING)
    started_at = models.DateTimeField(default=clock.now)
    ended_at = models.DateTimeField(null=True)
    is_quick = models.BooleanField(default=False)
    banks = models.JSONField(default=list)
    corpora = models.JSONField(default=dict)
    engine = models.CharField(max_length=16)
    library = models.CharField(max_length=200, blank=True, default="")
    threads = models.PositiveSmallIntegerField(default=0)
    slots = models.PositiveSmallIntegerField(default=0)
    sandbox = models.CharField(max_length=12, blank=True, default="")
    portal_version = models.CharField(max_length=32)
    phase = models.CharField(max_length=12, blank=True, default="")
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    stop_requested = models.BooleanField(default=False)
    error = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        ordering = ("-started_at",)
        constraints = (
            models.UniqueConstraint(
                fields=("state",), condition=Q(state="running"), name="registry_one_evaluation_runs"
            ),
        )

    def __str__(self) -> str:
        return f"evaluation {self.id} ({self.state})"


class EvaluationResult(models.Model):
    """One figure of an evaluation; `figure` is a key of registry.figures, `count` how many items or samples it sums up.

    Threshold and verdict are those of the day; both are None for a figure without a threshold.
    """

    evaluation = models.ForeignKey(ModelEvaluation, on_delete=models.CASCADE, related_name="results")
    figure = models.CharField(max_length=32)
    value = models.FloatField()
    unit = models.CharField(max_length=8, blank=True)
    count = models.PositiveIntegerField(default=1)
    threshold = models.FloatField(null=True)
    passed = models.BooleanField(null=True)
    corpus = models.CharField(max_length=16, blank=True, default="")
    corpus_sha256 = models.CharField(max_length=64, blank=True, default="")

    class Meta:
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(fields=("evaluation", "figure"), name="registry_one_result_per_figure"),
        )

    def __str__(self) -> str:
        return f"{self.figure} = {self.value:g} {self.unit}".rstrip()


class ItemVerdict(models.Model):
    """What a judge said of one answer: passed, or why not, and a short hash and the times of the answer."""

    evaluation = models.ForeignKey(ModelEvaluation, on_delete=models.CASCADE, related_name="verdicts")
    bank = models.CharField(max_length=16)
    item = models.CharField(max_length=64)
    language = models.CharField(max_length=2)
    passed = models.BooleanField()
    reason = models.CharField(max_length=16, blank=True)
    answer_hash = models.CharField(max_length=16)
    tokens = models.PositiveIntegerField(default=0)
    first_token_ms = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(
                fields=("evaluation", "bank", "item"), name="registry_one_verdict_per_item"
            ),
        )

    def __str__(self) -> str:
        return f"{self.item}: {'passed' if self.passed else self.reason}"
