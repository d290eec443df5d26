"""A notice is a version in some languages with a hash of what people see; it belongs to one organisation."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import Client

from audit.models import AuditEvent
from common.errors import ConsentRequired
from consent.models import ConsentNotice
from consent.notice_files import NoticeFileError, default_notices, read_notice_file
from consent.services import NoticeText, publish_notice, read_current_notice
from tenants.scope import TenantScopeMissing, tenant_scope
from tests.conftest import Cast
from tests.consent.conftest import Publish, browser
from tests.tenants.support import tenant_of

GOOD = "# Title\n\n> The question?\n\nThe *notice*.\n\n> A quotation in it.\n"
PARTS: dict[str, Any] = {"version": 2, "language": "zh-hans", "title": "T", "summary": "S", "body": "B"}


def notice(**changed: Any) -> ConsentNotice:
    return ConsentNotice(
        **({"version": 1, "language": "en", "title": "t", "summary": "s", "body": "b"} | changed)
    )


@pytest.mark.parametrize("part", PARTS)
def test_the_hash_changes_with_any_part(part: str) -> None:
    assert notice(**{part: PARTS[part]}).digest() != notice().digest()


def test_parts_cannot_be_moved_into_one_another_under_the_same_hash() -> None:
    assert notice(title="t s", summary="").digest() != notice(title="t", summary=" s").digest()
    assert notice(title='t","s', summary="b").digest() != notice(title="t", summary='s","b').digest()


def test_the_hash_can_be_computed_by_anybody() -> None:
    expected = hashlib.sha256('[1,"en","告知","s","b"]'.encode()).hexdigest()
    assert notice(title="告知").digest() == expected


def test_a_published_notice_carries_its_hash_and_an_event(cast: Cast, publish: Publish) -> None:
    assert publish(languages=("en", "zh-hans")) == 2
    with tenant_scope(tenant_of(cast.member)):
        published = ConsentNotice.objects.filter(version=2)
        assert {row.language for row in published} == {"en", "zh-hans"}
        assert all(row.sha256 == row.digest() for row in published)
    events = AuditEvent.objects.filter(tenant_id=tenant_of(cast.member), action="notice.publish")
    assert [event.object_id for event in events.order_by("seq")] == ["v1", "v2"]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("de", NoticeText("t", "s", "b")),
        ("en", NoticeText("", "s", "b")),
        ("en", NoticeText("t", "", "b")),
        ("en", NoticeText("t", "s", "")),
        ("en", NoticeText("t" * 121, "s", "b")),
        ("en", NoticeText("t", "s" * 601, "b")),
        ("en", NoticeText("t", "s", "b" * 40_001)),
    ],
)
def test_an_unfit_notice_is_not_published_in_any_language(
    language: str, text: NoticeText, cast: Cast
) -> None:
    texts = {"zh-hans": NoticeText("t", "s", "b"), language: text}
    with tenant_scope(tenant_of(cast.member)):
        with pytest.raises(ValidationError):
            publish_notice(texts=texts, actor=None)
        assert not ConsentNotice.objects.filter(version=2).exists()


def test_publishing_nothing_is_refused(cast: Cast) -> None:
    with tenant_scope(tenant_of(cast.member)), pytest.raises(ValidationError):
        publish_notice(texts={}, actor=None)


def test_the_current_notice_is_in_the_language_asked_for_or_another(cast: Cast, publish: Publish) -> None:
    publish(languages=("zh-hans",))
    with tenant_scope(tenant_of(cast.member)):
        assert read_current_notice(language="en").language == "zh-hans"
    publish(languages=("en", "zh-hans"))
    with tenant_scope(tenant_of(cast.member)):
        assert read_current_notice(language="en").language == "en"
        assert read_current_notice(language="zh-hans").language == "zh-hans"
        assert read_current_notice(language="fr").version == 3


def test_a_version_has_one_notice_per_language(cast: Cast) -> None:
    with tenant_scope(tenant_of(cast.member)), pytest.raises(IntegrityError), transaction.atomic():
        notice(tenant_id=tenant_of(cast.member)).save()


def test_another_organisations_notice_is_neither_current_nor_visible(
    cast: Cast, member: Client, publish: Publish
) -> None:
    publish("Southern", person=cast.outsider)
    publish("Southern", person=cast.outsider)
    assert member.get("/consent/notice/1/").status_code == 200
    assert member.get("/consent/notice/3/").status_code == 404
    assert "Southern" not in member.get("/consent/").text
    outsider = browser(cast.outsider)
    assert "Southern body" not in outsider.get("/consent/notice/1/").text
    assert "Southern <strong>body</strong>" in outsider.get("/consent/notice/3/").text


def test_publishing_for_one_organisation_asks_nobody_in_another(
    cast: Cast, member: Client, publish: Publish
) -> None:
    member.post("/consent/", {"decision": "agree"})
    publish("Southern", person=cast.outsider)
    assert member.get("/").status_code == 200


@pytest.mark.parametrize("version", ["0", "99", "99999999999999999999"])
def test_a_version_that_does_not_exist_is_a_missing_page(version: str, member: Client) -> None:
    assert member.get(f"/consent/notice/{version}/").status_code == 404


def test_a_notice_is_shown_without_what_it_must_not_do(cast: Cast, member: Client) -> None:
    hostile = "<script>alert(1)</script> [x](javascript:alert(1)) ![y](https://evil.example/y.png)"
    with tenant_scope(tenant_of(cast.member)):
        publish_notice(texts={"en": NoticeText(hostile[:120], hostile, hostile)}, actor=None)
    for path in ("/consent/", "/consent/notice/2/"):
        page = member.get(path).text
        assert "<script>alert" not in page
        assert 'href="javascript' not in page
        assert "<img" not in page


def test_outside_an_organisations_scope_nothing_is_published_or_read(cast: Cast) -> None:
    with pytest.raises(TenantScopeMissing):
        publish_notice(texts={"en": NoticeText("t", "s", "b")}, actor=None)
    with pytest.raises((TenantScopeMissing, ConsentRequired)):
        read_current_notice(language="en")


# --- files ----------------------------------------------------------------------------------------------------------
def test_a_notice_file_is_title_question_and_notice(tmp_path: Path) -> None:
    path = tmp_path / "notice.md"
    path.write_text(GOOD, encoding="utf-8")
    text = read_notice_file(path)
    assert text == NoticeText("Title", "The question?", "The *notice*.\n\n> A quotation in it.")


def test_the_notices_that_come_with_the_portal_can_be_read() -> None:
    texts = default_notices()
    assert texts.keys() == {"en", "zh-hans"}
    assert all(text.title and text.summary and text.body for text in texts.values())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no heading\n\n> q\n\nbody",
        b"# Title\n\nbody without question",
        b"# Title\n\n> question only",
        b"## Title\n\n> q\n\nbody",
        b"> q\n\n# Title\n\nbody",
        b"\xff\xfe broken",
    ],
)
def test_a_broken_notice_file_is_refused_by_name(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "broken.md"
    path.write_bytes(content)
    with pytest.raises(NoticeFileError, match=r"broken\.md"):
        read_notice_file(path)


def test_a_missing_notice_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(NoticeFileError, match=r"absent\.md"):
        read_notice_file(tmp_path / "absent.md")
    with pytest.raises(NoticeFileError):
        read_notice_file(tmp_path)


def test_the_command_publishes_the_next_version(
    cast: Cast, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "notice.md"
    path.write_text(GOOD, encoding="utf-8")
    call_command("notice", "publish", "--tenant", "north", f"en={path}", f"zh-hans={path}")
    assert "Version 2" in capsys.readouterr().out
    with tenant_scope(tenant_of(cast.member)):
        assert read_current_notice(language="en").title == "Title"
    with tenant_scope(tenant_of(cast.outsider)):
        assert read_current_notice(language="en").version == 1


@pytest.mark.parametrize(
    ("tenant", "text"),
    [
        ("west", "en={good}"),
        ("north", "en={broken}"),
        ("north", "de={good}"),
        ("north", "{good}"),
        ("north", "en="),
    ],
)
def test_the_command_refuses_what_it_cannot_publish(
    tenant: str, text: str, cast: Cast, tmp_path: Path
) -> None:
    good, broken = tmp_path / "good.md", tmp_path / "broken.md"
    good.write_text(GOOD, encoding="utf-8")
    broken.write_text("nothing", encoding="utf-8")
    with pytest.raises(CommandError):
        call_command("notice", "publish", "--tenant", tenant, text.format(good=good, broken=broken))
    with tenant_scope(tenant_of(cast.member)):
        assert not ConsentNotice.objects.filter(version=2).exists()
