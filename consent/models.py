"""Store versions of the notice, and who agreed to which."""

from __future__ import annotations

import hashlib
import json
import uuid

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _

from common import clock
from common.markdown import render_markdown
from tenants.models import REASON_CHARS, TenantModel

SUMMARY_CHARS, BODY_CHARS = 600, 40_000


class ConsentNotice(TenantModel):
    """One version of a tenant's notice in one language; never changed once published.

    `summary` is the one question that people answer, `body` the full notice in Markdown.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    version = models.PositiveIntegerField()
    language = models.CharField(max_length=16, choices=settings.LANGUAGES)
    title = models.CharField(max_length=120)
    summary = models.TextField(max_length=SUMMARY_CHARS)
    body = models.TextField(max_length=BODY_CHARS)
    sha256 = models.CharField(max_length=64, editable=False)
    published_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta(TenantModel.Meta):
        abstract = False
        ordering = ("-version", "language")
        constraints = (
            models.UniqueConstraint(fields=("tenant", "version", "language"), name="one_notice_per_language"),
        )

    def __str__(self) -> str:
        return f"v{self.version} {self.language}"

    @property
    def body_html(self) -> SafeString:
        """Return the full notice as safe HTML."""
        return mark_safe(render_markdown(self.body))  # noqa: S308 (render_markdown cleans it)

    def clean(self) -> None:
        """Refuse texts that are too long; Django holds only form fields to the length of a text field."""
        for name, limit in (("summary", SUMMARY_CHARS), ("body", BODY_CHARS)):
            if len(getattr(self, name)) > limit:
                raise ValidationError(f"The {name} of a notice has at most {limit} characters.")

    def digest(self) -> str:
        """Return the SHA-256, in hex, of what people see: version, language, title, summary and body as a JSON list."""
        parts = [self.version, self.language, self.title, self.summary, self.body]
        return hashlib.sha256(
            json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode()
        ).hexdigest()


class ConsentRecord(TenantModel):
    """One person's agreement to one version, with the hash of the text that was on the screen."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    notice_version = models.PositiveIntegerField()
    notice_language = models.CharField(max_length=16)
    notice_sha256 = models.CharField(max_length=64)
    given_at = models.DateTimeField(default=clock.now, editable=False)
    withdrawn_at = models.DateTimeField(null=True, editable=False)

    class Meta(TenantModel.Meta):
        abstract = False
        ordering = ("-given_at",)
        constraints = (
            models.UniqueConstraint(
                fields=("account", "notice_version"),
                condition=Q(withdrawn_at__isnull=True),
                name="one_standing_consent_per_version",
            ),
        )

    def __str__(self) -> str:
        return f"v{self.notice_version}"


class DraftState(models.TextChoices):
    """How far a draft of the next version has come."""

    DRAFT = "draft", _("Draft")
    SUBMITTED = "submitted", _("Waits for a second person")
    PUBLISHED = "published", _("Published")
    DISCARDED = "discarded", _("Discarded")


class NoticeDraft(TenantModel):
    """The next version of the notice, while it is worked on and waits for a second person.

    `texts` holds title, summary and body by language; `base` is the version that it was drafted on. It is published
    only where somebody else than who drafted or submitted it has decided so.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    state = models.CharField(max_length=12, choices=DraftState.choices, default=DraftState.DRAFT)
    base = models.PositiveIntegerField()
    texts = models.JSONField(default=dict)
    edited_by = models.UUIDField()
    edited_at = models.DateTimeField(default=clock.now)
    submitted_by = models.UUIDField(null=True)
    submitted_at = models.DateTimeField(null=True)
    decided_by = models.UUIDField(null=True)
    decided_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=REASON_CHARS, blank=True, default="")

    class Meta(TenantModel.Meta):
        abstract = False
        constraints = (
            models.UniqueConstraint(
                fields=("tenant",),
                condition=Q(state__in=("draft", "submitted")),
                name="one_open_notice_draft",
            ),
            models.CheckConstraint(
                condition=~Q(state="published")
                | (
                    Q(decided_by__isnull=False, submitted_by__isnull=False)
                    & ~Q(decided_by=models.F("submitted_by"))
                    & ~Q(decided_by=models.F("edited_by"))
                ),
                name="notice_published_by_second_person",
            ),
        )

    def __str__(self) -> str:
        return f"{self.state} on v{self.base}"
