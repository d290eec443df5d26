"""A rule set goes from draft to publication by two people, and what was published stays as it was."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from pytest_django import Settings

from accounts.models import User
from accounts.services import create_account
from audit.models import AuditEvent
from common.access import PermissionMissing
from common.errors import NotFound, PortalError
from policy import errors, rulesets
from policy.models import RuleSetVersion, Status, TenantRule
from tenants.scope import TenantScopeMissing, current_tenant_id, tenant_scope
from tests.conftest import PASSWORD, Cast

WORDS: dict[str, Any] = {
    "code": "HR-PAY-01",
    "title": {"en": "Pay"},
    "keywords": ["salary table", "薪酬明细"],
    "input": "block",
}
FEWER = WORDS | {"keywords": ["salary table"]}
MORE = WORDS | {"keywords": ["salary table", "薪酬明细", "bonus list"]}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, settings: Settings) -> None:
    settings.PORTAL = dataclasses.replace(settings.PORTAL, policy_file=None)


@pytest.fixture
def second(cast: Cast) -> User:
    """Return a second security officer of the same organisation."""
    return create_account(
        tenant=cast.officer.tenant, login="hua", display_name="Hua", role="officer", password=PASSWORD
    )


@pytest.fixture
def scope(cast: Cast) -> Iterator[None]:
    assert cast.officer.tenant_id is not None
    with tenant_scope(cast.officer.tenant_id):
        yield


def written(by: User, row: dict[str, Any] = WORDS) -> RuleSetVersion:
    draft = rulesets.draft_of(by)
    rulesets.save_rule(draft, row, by=by)
    rulesets.note_dry_run(draft, {"texts": 1}, by=by)
    return draft


def published(by: User, second: User, row: dict[str, Any] = WORDS) -> RuleSetVersion:
    draft = written(by, row)
    rulesets.submit(draft, by=by)
    rulesets.approve(draft, by=second)
    rulesets.publish(draft, by=by)
    return draft


@pytest.mark.usefixtures("scope")
def test_a_draft_comes_into_force_by_two_people(cast: Cast, second: User) -> None:
    version = published(cast.officer, second)
    assert (version.status, version.label) == (Status.PUBLISHED, "v1")
    rules = rulesets.rules_in(rulesets.current_version())
    assert rules.version.endswith(".1")
    assert rules.rules[-1].words == ("salary table", "薪酬明细")
    actions = list(
        AuditEvent.objects.filter(tenant_id=current_tenant_id(), action__startswith="policy.")
        .order_by("seq")
        .values_list("action", "object_id")
    )
    assert actions == [
        ("policy.draft", "draft"),
        ("policy.draft", "HR-PAY-01"),
        ("policy.dry_run", "draft"),
        ("policy.submit", "draft"),
        ("policy.approve", "draft"),
        ("policy.publish", "v1"),
    ]


def in_status(status: str, by: User, second: User) -> RuleSetVersion:
    version = written(by)
    if status == Status.DISCARDED:
        rulesets.discard_draft(version, by=by)
    if status in {Status.SUBMITTED, Status.APPROVED, Status.PUBLISHED}:
        rulesets.submit(version, by=by)
    if status in {Status.APPROVED, Status.PUBLISHED}:
        rulesets.approve(version, by=second)
    if status == Status.PUBLISHED:
        rulesets.publish(version, by=by)
    return version


ACTS: dict[str, Callable[[RuleSetVersion, User, User], object]] = {
    "save": lambda version, by, _: rulesets.save_rule(version, MORE, by=by),
    "remove": lambda version, by, _: rulesets.remove_rule(version, "HR-PAY-01", by=by),
    "try": lambda version, by, _: rulesets.note_dry_run(version, {}, by=by),
    "submit": lambda version, by, _: rulesets.submit(version, by=by),
    "approve": lambda version, _, second: rulesets.approve(version, by=second),
    "reject": lambda version, _, second: rulesets.reject(version, by=second, reason="no"),
    "reopen": lambda version, by, _: rulesets.reopen(version, by=by),
    "publish": lambda version, by, _: rulesets.publish(version, by=by),
    "discard": lambda version, by, _: rulesets.discard_draft(version, by=by),
}
AFTER = {
    ("draft", "save"): "draft",
    ("draft", "remove"): "draft",
    ("draft", "try"): "draft",
    ("draft", "submit"): "submitted",
    ("draft", "discard"): "discarded",
    ("submitted", "approve"): "approved",
    ("submitted", "reject"): "draft",
    ("submitted", "reopen"): "draft",
    ("approved", "reopen"): "draft",
    ("approved", "publish"): "published",
}


@pytest.mark.usefixtures("scope")
@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("status", Status.values)
def test_each_act_is_possible_at_its_stages_only(status: str, act: str, cast: Cast, second: User) -> None:
    version = in_status(status, cast.officer, second)
    after = AFTER.get((status, act))
    if after is None:
        with pytest.raises((errors.WrongStage, NotFound)):
            ACTS[act](version, cast.officer, second)
    else:
        ACTS[act](version, cast.officer, second)
    assert RuleSetVersion.objects.get(pk=version.pk).status == (after or status)


@pytest.mark.usefixtures("scope")
def test_an_author_approves_only_where_there_is_nobody_else_and_gives_a_reason(cast: Cast) -> None:
    version = written(cast.officer)
    rulesets.submit(version, by=cast.officer)
    with pytest.raises(errors.PolicyReasonNeeded):
        rulesets.approve(version, by=cast.officer)
    second = create_account(
        tenant=cast.officer.tenant, login="hua", display_name="Hua", role="officer", password=PASSWORD
    )
    with pytest.raises(errors.OfficerNeeded):
        rulesets.approve(version, by=cast.officer, reason="nobody is in today")
    second.is_active = False
    second.save()
    rulesets.approve(version, by=cast.officer, reason="the only officer")
    assert version.decisions.get().decision == "alone"


@pytest.mark.usefixtures("scope")
def test_whoever_wrote_on_a_draft_does_not_approve_it_for_another(cast: Cast, second: User) -> None:
    third = create_account(
        tenant=cast.officer.tenant, login="bo", display_name="Bo", role="officer", password=PASSWORD
    )
    version = written(cast.officer)
    rulesets.save_rule(version, MORE, by=second)
    rulesets.note_dry_run(version, {}, by=second)
    rulesets.submit(version, by=cast.officer)
    with pytest.raises(errors.OfficerNeeded):
        rulesets.approve(version, by=second)
    rulesets.approve(version, by=third)


@pytest.mark.usefixtures("scope")
def test_only_officers_write_and_an_admin_where_separation_is_off(cast: Cast) -> None:
    for person in (cast.member, cast.admin, cast.auditor):
        with pytest.raises(PermissionMissing):
            rulesets.draft_of(person)
    assert cast.admin.tenant is not None
    cast.admin.tenant.three_admin_separation = False
    assert rulesets.draft_of(cast.admin).status == Status.DRAFT


def test_another_organisation_sees_and_changes_nothing(cast: Cast, second: User) -> None:
    stranger = create_account(
        tenant=cast.outsider.tenant, login="jun", display_name="Jun", role="officer", password=PASSWORD
    )
    assert cast.officer.tenant_id
    assert stranger.tenant_id
    with tenant_scope(cast.officer.tenant_id):
        version = published(cast.officer, second)
        rulesets.draft_of(cast.officer)
        with pytest.raises(NotFound):
            rulesets.draft_of(stranger)
    with tenant_scope(stranger.tenant_id):
        assert rulesets.versions() == []
        assert rulesets.current_version() is None
        assert rulesets.rules_in(None).version == rulesets.name_of(None)
        with pytest.raises(NotFound):
            rulesets.rollback(version, by=stranger, reason="mine now")
        with pytest.raises(NotFound):
            rulesets.remove_rule(version, "HR-PAY-01", by=stranger)
    with pytest.raises(TenantScopeMissing):
        rulesets.versions()


@pytest.mark.usefixtures("scope")
def test_an_untried_or_unchanged_draft_is_not_submitted(cast: Cast, second: User) -> None:
    draft = written(cast.officer)
    rulesets.save_rule(draft, MORE, by=cast.officer)
    with pytest.raises(errors.DryRunNeeded):
        rulesets.submit(draft, by=cast.officer)
    rulesets.remove_rule(draft, "HR-PAY-01", by=cast.officer)
    rulesets.note_dry_run(draft, {}, by=cast.officer)
    with pytest.raises(errors.NothingChanged):
        rulesets.submit(draft, by=cast.officer)


@pytest.mark.usefixtures("scope")
def test_going_back_is_quick_only_where_nothing_becomes_weaker(cast: Cast, second: User) -> None:
    full = published(cast.officer, second, MORE)
    published(cast.officer, second, FEWER)
    back = rulesets.rollback(full, by=cast.officer, reason="too few words")
    assert (back.status, back.label) == (Status.PUBLISHED, "v3")
    assert rulesets.diff(full, back) == ()
    shorter = RuleSetVersion.objects.get(number=2)
    waiting = rulesets.rollback(shorter, by=cast.officer, reason="too many words")
    assert waiting.status == Status.SUBMITTED
    with pytest.raises(errors.OfficerNeeded):
        rulesets.approve(waiting, by=cast.officer, reason="hurry")
    rulesets.approve(waiting, by=second)
    rulesets.publish(waiting, by=cast.officer)
    assert waiting.label == "v4"


@pytest.mark.usefixtures("scope")
def test_what_was_submitted_before_another_version_came_does_not_undo_it(cast: Cast, second: User) -> None:
    first = published(cast.officer, second, FEWER)
    published(cast.officer, second, WORDS | {"input": "flag"})
    draft = written(cast.officer, MORE | {"input": "flag"})
    rulesets.submit(draft, by=cast.officer)
    rulesets.approve(draft, by=second)
    assert rulesets.rollback(first, by=cast.officer, reason="stop it again").status == Status.SUBMITTED
    waiting = RuleSetVersion.objects.get(restores=first)
    rulesets.approve(waiting, by=second)
    rulesets.publish(waiting, by=second)
    with pytest.raises(errors.DraftOutdated):
        rulesets.publish(draft, by=cast.officer)


@pytest.mark.usefixtures("scope")
@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"code": "NO-SUCH-01", "input": "block"}, "the base has no such rule"),
        (WORDS | {"code": "PII-ID-01"}, "a rule of the base has this code"),
        ({"code": "PII-ID-01"}, "needs input or output"),
        ({"code": "PII-ID-01", "output": "consent"}, "for questions only"),
        ({"code": "A-1", "title": {"en": "x"}, "pattern": "a+", "input": "block"}, "no upper bound"),
        ({"code": "A-1", "title": {"en": "x"}, "pattern": r"(a)\1", "input": "block"}, "linear-time"),
        (WORDS | {"keywords": ["\u200b"]}, "nothing of it can be seen"),
        (WORDS | {"keywords": []}, "no keyword"),
        (WORDS | {"locked": True}, "only rules of the base"),
        (WORDS | {"code": "no code"}, "needs a code"),
    ],
)
def test_a_rule_that_cannot_work_is_refused_with_the_reason(
    row: dict[str, Any], reason: str, cast: Cast
) -> None:
    draft = rulesets.draft_of(cast.officer)
    with pytest.raises(errors.RuleRefused) as caught:
        rulesets.save_rule(draft, row, by=cast.officer)
    assert reason in str(caught.value)
    assert draft.rules.count() == 0


@pytest.mark.usefixtures("scope")
def test_rules_are_sealed_in_the_database(cast: Cast) -> None:
    draft = rulesets.draft_of(cast.officer)
    rulesets.save_rule(draft, WORDS, by=cast.officer)
    stored = TenantRule.objects.values_list("body", flat=True).get()
    assert "salary" not in stored.token()
    assert rulesets.layer_of(draft)[0].row == WORDS


@pytest.mark.usefixtures("scope")
@pytest.mark.parametrize("change", ["rule", "add", "drop", "status", "delete", "decision"])
def test_the_database_refuses_to_change_what_was_published(change: str, cast: Cast, second: User) -> None:
    version = published(cast.officer, second)
    changes: dict[str, Callable[[], object]] = {
        "rule": lambda: TenantRule.objects.filter(version=version).update(code="OTHER-1"),
        "add": lambda: TenantRule(
            tenant_id=version.tenant_id, version=version, code="X-1", position=9, body="e30="
        ).save(),
        "drop": lambda: TenantRule.objects.filter(version=version).delete(),
        "status": lambda: RuleSetVersion.objects.filter(pk=version.pk).update(note="other"),
        "delete": lambda: RuleSetVersion.objects.filter(pk=version.pk)._raw_delete("default"),
        "decision": lambda: version.decisions.update(reason="other"),
    }
    with pytest.raises(DatabaseError), transaction.atomic():
        changes[change]()


def test_errors_are_small(cast: Cast) -> None:
    for kind in (errors.WrongStage, errors.OfficerNeeded, errors.DraftOutdated, errors.NothingChanged):
        error: PortalError = kind()
        assert error.code.startswith("policy_")
        assert error.http_status in {403, 409}
