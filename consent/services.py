"""Publish notices; give, require and withdraw consent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max

from accounts.live import announce_notice, announce_withdrawal
from accounts.models import User
from audit.services import record_event
from common import clock
from common.errors import ConsentRequired
from consent.models import ConsentNotice, ConsentRecord
from tenants.scope import current_tenant_id
from tenants.values import tenant_values

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class NoticeText:
    """A notice in one language, before it is published."""

    title: str
    summary: str
    body: str


@dataclass(frozen=True, slots=True)
class Consented:
    """Proof that a person has accepted the current notice; the first step of every turn returns it."""

    account_id: UUID
    tenant_id: UUID
    notice_version: int


@transaction.atomic
def publish_notice(*, texts: Mapping[str, NoticeText], actor: UUID | None) -> int:
    """Publish the next version in every language at once and return its number; open sessions are asked again.

    Raises ValidationError for no text, an unknown language, or a text that is empty or too long.
    """
    if not texts:
        raise ValidationError("A notice needs a text in at least one language.")
    tenant_id = current_tenant_id()
    version = current_version() + 1
    for language, text in texts.items():
        notice = ConsentNotice(
            tenant_id=tenant_id,
            version=version,
            language=language,
            title=text.title,
            summary=text.summary,
            body=text.body,
        )
        notice.sha256 = notice.digest()
        notice.full_clean()
        notice.save(force_insert=True)
    record_event(
        action="notice.publish",
        tenant_id=tenant_id,
        actor=actor,
        object_type="notice",
        object_id=f"v{version}",
    )
    announce_notice(tenant_id)
    return version


def read_current_notice(*, language: str) -> ConsentNotice:
    """Return the current notice in the language, or in another one that it was published in.

    Raises ConsentRequired when the tenant has published none: then nobody can chat.
    """
    notices = list(ConsentNotice.objects.filter(version=current_version()))
    if not notices:
        raise ConsentRequired
    best: ConsentNotice = min(notices, key=lambda notice: (notice.language != language, notice.language))
    return best


def require_consent(account: User) -> Consented:
    """Return the proof of consent to the current notice, in one query.

    Raises ConsentRequired without it, or where it is older than the organisation lets consent hold.
    """
    current = ConsentNotice.objects.order_by("-version").values("version")[:1]
    record = ConsentRecord.objects.filter(
        account_id=account.id, withdrawn_at__isnull=True, notice_version=current
    ).first()
    if record is None or record.given_at <= _given_after():
        raise ConsentRequired
    return Consented(account_id=account.id, tenant_id=record.tenant_id, notice_version=record.notice_version)


@transaction.atomic
def accept_notice(account: User, *, notice: ConsentNotice, ip: str | None) -> ConsentRecord:
    """Record the person's consent to this notice; a second time changes nothing, unless the first one has run out.

    Raises ConsentRequired when a newer version has been published meanwhile.
    """
    if notice.version != current_version():
        raise ConsentRequired
    ConsentRecord.objects.filter(
        account_id=account.id, withdrawn_at__isnull=True, given_at__lte=_given_after()
    ).update(withdrawn_at=clock.now())
    record: ConsentRecord
    record, created = ConsentRecord.objects.get_or_create(
        tenant_id=current_tenant_id(),
        account_id=account.id,
        notice_version=notice.version,
        withdrawn_at=None,
        defaults={"notice_language": notice.language, "notice_sha256": notice.sha256},
    )
    if created:
        _record("consent.accept", account=account, version=notice.version, ip=ip)
    return record


@transaction.atomic
def decline_notice(account: User, *, notice: ConsentNotice, ip: str | None) -> None:
    """Leave nothing of a refusal but the event; consent to this very notice, where it stands, is withdrawn by it."""
    standing = ConsentRecord.objects.filter(
        account_id=account.id, notice_version=notice.version, withdrawn_at__isnull=True
    )
    if standing.exists():
        withdraw_consent(account, ip=ip)
    _record("consent.decline", account=account, version=notice.version, ip=ip, outcome="refused")


@transaction.atomic
def withdraw_consent(account: User, *, ip: str | None) -> None:
    """End every standing consent of the person and close their open chats at once."""
    standing = ConsentRecord.objects.filter(account_id=account.id, withdrawn_at__isnull=True)
    versions = list(standing.values_list("notice_version", flat=True))
    if not versions:
        return
    standing.update(withdrawn_at=clock.now())
    _record("consent.withdraw", account=account, version=max(versions), ip=ip)
    announce_withdrawal(account.id)


def keeping_shown() -> dict[str, str | int]:
    """Return what the notice's page says of how conversations are kept; within the scope."""
    values = tenant_values(current_tenant_id())
    return {"persistence": values.text("persistence"), "retention_days": values.number("retention_days")}


def list_records(account: User) -> list[ConsentRecord]:
    """Return the person's own consents, newest first."""
    return list(ConsentRecord.objects.filter(account_id=account.id))


def _given_after() -> datetime:
    """Return the time after which a consent must have been given to count."""
    days = tenant_values(current_tenant_id()).number("consent_days")
    return clock.now() - timedelta(days=days) if days else LONG_AGO


def standing_versions(account_ids: Iterable[UUID]) -> tuple[int, dict[UUID, int]]:
    """Return the current version, and which one each of these people has agreed to last; others are left out."""
    standing = ConsentRecord.objects.filter(
        account_id__in=list(account_ids), withdrawn_at__isnull=True, given_at__gt=_given_after()
    )
    newest = standing.order_by().values_list("account_id").annotate(newest=Max("notice_version"))
    return current_version(), dict(newest)


def current_version() -> int:
    """Return the number of the version in force, 0 before there is one."""
    newest = ConsentNotice.objects.aggregate(newest=Max("version"))["newest"]
    return int(newest or 0)


def _record(action: str, *, account: User, version: int, ip: str | None, outcome: str = "ok") -> None:
    record_event(
        action=action,
        tenant_id=account.tenant_id,
        actor=account.id,
        object_type="notice",
        object_id=f"v{version}",
        outcome=outcome,
        status=200 if outcome == "ok" else 403,
        ip=ip,
    )
