"""A notice is drafted by one person, shown as people will see it, and published by another; nobody is asked before."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from accounts.administration import set_separation
from accounts.models import User
from accounts.services import create_account
from consent.models import ConsentNotice, DraftState, NoticeDraft
from consent.services import (
    NoticeText,
    accept_notice,
    current_version,
    publish_notice,
    read_current_notice,
)
from tenants.scope import tenant_scope
from tests.conftest import PASSWORD, Cast
from tests.qwenportal.support import browser
from tests.tenants.support import tenant_of

PAGE = "/console/notices/"
TEXTS = {
    "en.title": "New notice",
    "en.summary": "May we?",
    "en.body": "We keep *little*.",
    "zh-hans.title": "新告知书",
    "zh-hans.summary": "同意吗？",
    "zh-hans.body": "我们只保留必要信息。",
}


def version(cast: Cast) -> int:
    with tenant_scope(tenant_of(cast.admin)):
        return current_version()


def submitted(cast: Cast) -> Client:
    admin = browser(User.objects.get(pk=cast.admin.pk))
    admin.post(PAGE, TEXTS)
    admin.post(f"{PAGE}submit/")
    return admin


def test_a_draft_is_published_by_the_officer_and_then_everybody_is_asked(cast: Cast) -> None:
    with tenant_scope(tenant_of(cast.member)):
        accept_notice(cast.member, notice=read_current_notice(language="en"), ip=None)
    member = browser(cast.member)
    admin = submitted(cast)
    assert member.get("/").status_code == 200
    assert version(cast) == 1
    assert "May we?" in browser(cast.officer).get(PAGE).text
    browser(cast.officer).post(f"{PAGE}publish/")
    assert version(cast) == 2
    assert member.get("/").headers["Location"] == "/consent/"
    assert "New notice" in admin.get(PAGE).text


def test_nobody_publishes_or_rejects_what_they_wrote(cast: Cast) -> None:
    set_separation(cast.admin.tenant, is_on=False, by=cast.operator)  # type: ignore[arg-type]
    admin = submitted(cast)
    for act in ("publish/", "reject/"):
        admin.post(PAGE + act, {"reason": "no"})
    assert version(cast) == 1
    second = create_account(
        tenant=cast.admin.tenant, login="bo", display_name="Bo", role="admin", password=PASSWORD
    )
    browser(second).post(f"{PAGE}publish/")
    assert version(cast) == 2


def test_the_database_itself_refuses_what_its_author_published(cast: Cast) -> None:
    submitted(cast)
    with tenant_scope(tenant_of(cast.admin)), pytest.raises(IntegrityError), transaction.atomic():
        NoticeDraft.objects.update(state=DraftState.PUBLISHED, decided_by=cast.admin.pk)


def test_what_waits_is_not_edited_and_what_was_sent_back_is(cast: Cast) -> None:
    admin, officer = submitted(cast), browser(cast.officer)
    admin.post(PAGE, TEXTS | {"en.title": "Sneaked in"})
    assert "Sneaked in" not in officer.get(PAGE).text
    officer.post(f"{PAGE}reject/", {"reason": "too long"})
    assert "too long" in admin.get(PAGE).text
    admin.post(PAGE, TEXTS | {"en.title": "Better"})
    assert "Better" in admin.get(PAGE).text


def test_a_draft_made_on_an_older_version_is_not_published(cast: Cast) -> None:
    submitted(cast)
    with tenant_scope(tenant_of(cast.admin)):
        publish_notice(texts={"en": NoticeText("Other", "?", "Other.")}, actor=None)
    browser(cast.officer).post(f"{PAGE}publish/")
    assert version(cast) == 2
    with tenant_scope(tenant_of(cast.admin)):
        assert ConsentNotice.objects.get(version=2, language="en").title == "Other"


def test_a_second_publishing_changes_nothing(cast: Cast) -> None:
    submitted(cast)
    for _ in range(2):
        browser(cast.officer).post(f"{PAGE}publish/")
    assert version(cast) == 2


@pytest.mark.parametrize("name", ["member", "auditor", "operator", "outsider"])
def test_nobody_else_sees_or_does_anything(cast: Cast, name: str) -> None:
    submitted(cast)
    person = browser(cast.everybody()[name])
    assert {person.get(PAGE).status_code, person.post(f"{PAGE}publish/").status_code} == {404}
    assert version(cast) == 1


def test_the_preview_is_what_people_will_see_and_its_buttons_do_nothing(cast: Cast) -> None:
    admin = browser(cast.admin)
    admin.post(PAGE, TEXTS)
    page = admin.get(f"{PAGE}preview/zh-hans/").text
    assert "同意吗？" in page
    assert page.count("disabled") == 2
    assert admin.get(f"{PAGE}preview/xx/").status_code == 404


@pytest.mark.parametrize("change", [{"en.title": ""}, {"en.summary": "x" * 601}, {"en.title": "x" * 121}])
def test_an_impossible_text_comes_back_as_it_was_typed(cast: Cast, change: dict[str, str]) -> None:
    page = browser(cast.admin).post(PAGE, TEXTS | change)
    assert page.status_code == 400
    assert "我们只保留必要信息。" in page.text
    with tenant_scope(tenant_of(cast.admin)):
        assert not NoticeDraft.objects.exists()


def test_markup_in_a_notice_is_cleaned_in_the_preview(cast: Cast) -> None:
    admin = browser(cast.admin)
    admin.post(PAGE, TEXTS | {"en.body": "<script>alert(1)</script> hello", "en.title": "<b>x</b>"})
    assert "<script>alert" not in admin.get(f"{PAGE}preview/en/").text
    assert "<b>x</b>" not in admin.get(PAGE).text


def test_who_has_agreed_is_listed_with_dates_page_by_page(cast: Cast) -> None:
    with tenant_scope(tenant_of(cast.member)):
        accept_notice(cast.member, notice=read_current_notice(language="en"), ip=None)
    admin = browser(cast.admin)
    page = admin.get(f"{PAGE}versions/1/").text
    assert cast.member.display_name in page
    assert cast.colleague.display_name not in page
    for wrong in ("-1", "x", "٣", "9" * 9):
        assert admin.get(f"{PAGE}versions/1/", {"from": wrong}).status_code == 400
    assert admin.get(f"{PAGE}versions/7/").status_code == 404
    assert admin.get(f"{PAGE}versions/{'9' * 30}/").status_code == 404
