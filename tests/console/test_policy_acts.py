"""What security officers do on the policy pages: who may, what is refused, and that nothing typed is lost."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import pytest
from django.urls import reverse

from accounts.models import User
from policy import corpus, rulesets
from policy.engine import evaluate
from policy.models import RuleSetVersion
from tenants.scope import tenant_scope
from tests.conftest import Cast
from tests.console import policy_support as support
from tests.qwenportal.support import browser
from tests.tenants.support import tenant_of

RULE = {
    "new": "1",
    "code": "HR-01",
    "kind": "keywords",
    "title": "Pay",
    "title_zh": "薪酬",
    "input": "block",
    "output": "off",
    "keywords": "salary table\n薪酬明细\n",
    "validator": "any",
}
OPENED = {key: value for key, value in RULE.items() if key != "new"}
JUDGE = corpus.judge
PATTERN = RULE | {"kind": "pattern", "keywords": "", "pattern": "zy[0-9]{8}", "code": "MED-01"}


@pytest.fixture
def hua(cast: Cast) -> User:
    """A second security officer of the same organisation."""
    return support.officer("hua", cast.officer.tenant)


@pytest.fixture
def stranger(cast: Cast) -> User:
    """A security officer of another organisation."""
    return support.officer("xin", cast.outsider.tenant)


def save(person: User, **form: str) -> Any:
    return browser(person).post(reverse("console:policy_save"), form)


def do(person: User, act: str, version: RuleSetVersion, **form: str) -> Any:
    return browser(person).post(reverse(f"console:policy_{act}", args=[version.pk]), form)


def page(person: User, name: str = "policy", *args: object) -> str:
    return str(browser(person).get(reverse(f"console:{name}", args=args)).text)


def layer(person: User) -> dict[str, dict[str, Any]]:
    """Return the entries of the draft, or of what is in force."""
    with tenant_scope(tenant_of(person)):
        version = rulesets.open_draft() or rulesets.current_version()
        return {entry.code: entry.row for entry in rulesets.layer_of(version)}


def stamp(person: User, code: str) -> str:
    with tenant_scope(tenant_of(person)):
        entries = rulesets.layer_of(rulesets.open_draft())
        return next((entry.stamp for entry in entries if entry.code == code), "")


def status(version: RuleSetVersion) -> str:
    with tenant_scope(version.tenant_id):
        return str(RuleSetVersion.objects.get(pk=version.pk).status)


def test_a_new_rule_goes_into_the_draft_and_nowhere_else(cast: Cast) -> None:
    assert save(cast.officer, **RULE).status_code == 302
    assert layer(cast.officer)["HR-01"] == {
        "code": "HR-01",
        "title": {"en": "Pay", "zh-hans": "薪酬"},
        "input": "block",
        "keywords": ["salary table", "薪酬明细"],
    }
    with tenant_scope(tenant_of(cast.officer)):
        assert rulesets.current_version() is None
    assert "Unpublished changes" in page(cast.officer)


def test_an_admin_edits_where_the_three_are_not_separated(cast: Cast) -> None:
    assert save(cast.admin, **RULE).status_code == 404
    tenant = cast.admin.tenant
    assert tenant is not None
    tenant.three_admin_separation = False
    tenant.save()
    assert save(cast.admin, **RULE).status_code == 302


@pytest.mark.parametrize("name", ["member", "auditor", "operator", "admin"])
def test_nobody_else_opens_the_pages(name: str, cast: Cast) -> None:
    person = cast.everybody()[name]
    version = support.draft(cast.officer)
    for path in (reverse("console:policy"), reverse("console:policy_version", args=[version.pk])):
        assert browser(person).get(path).status_code == 404


def test_rules_of_another_organisation_look_like_none(cast: Cast, stranger: User, hua: User) -> None:
    version = support.submit(cast.officer)
    assert browser(stranger).get(reverse("console:policy_version", args=[version.pk])).status_code == 404
    assert browser(stranger).get(reverse("console:policy_rule", args=["NORTH-01"])).status_code == 404
    assert browser(stranger).get(reverse("console:policy_words", args=["NORTH-01"])).status_code == 404
    for act in ("submit", "discard", "reopen", "approve", "reject", "publish", "rollback"):
        assert do(stranger, act, version, reason="mine").status_code == 404, act
    assert status(version) == "submitted"
    assert "NORTH-01" not in page(stranger) + page(stranger, "policy_history")
    assert (
        "Would go on"
        in browser(stranger)
        .post(reverse("console:policy_bench"), {"text": "salary table", "stage": "input", "part": "1"})
        .text
    )


@pytest.mark.parametrize(
    ("wrong", "field", "said"),
    [
        ({"pattern": "(a"}, "pattern", "missing )"),
        ({"pattern": "(?=a)b"}, "pattern", "invalid perl operator"),
        ({"pattern": ""}, "pattern", "Write a pattern."),
        ({"input": "off"}, "input", "Choose what happens"),
        ({"code": "two words"}, "code", "needs a code of letters and digits"),
        ({"code": "PII-ID-01"}, "code", "There is a rule with this code already."),
        ({"title": ""}, "title", "This field is required."),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_nothing_typed_is_lost(
    wrong: dict[str, str], field: str, said: str, cast: Cast
) -> None:
    answer = save(cast.officer, **PATTERN | {"mask": "[a heron]"} | wrong)
    assert answer.status_code == 400
    errors = answer.context["form"][field].errors
    assert said in str(errors)
    assert f'aria-errormessage="id_{field}_error"' in answer.text or f'"{field}_error"' in answer.text
    assert "[a heron]" in answer.text
    assert layer(cast.officer) == {}


def test_words_that_cannot_be_keywords_are_named(cast: Cast) -> None:
    answer = save(cast.officer, **RULE | {"keywords": "salary\n\u200b\n"})
    assert answer.status_code == 400
    assert answer.context["form"]["keywords"].errors
    assert "salary" in answer.text


def test_somebody_else_s_words_are_not_overwritten_and_ones_own_are_not_lost(cast: Cast, hua: User) -> None:
    support.draft(cast.officer)
    seen = stamp(cast.officer, "NORTH-01")
    form = {key: text for key, text in RULE.items() if key != "new"} | {"code": "NORTH-01", "seen": seen}
    assert save(hua, **form | {"keywords": "theirs"}).status_code == 302
    answer = save(cast.officer, **form | {"keywords": "mine"})
    assert answer.status_code == 409
    assert "Somebody else changed this rule meanwhile." in answer.text
    assert ">\nmine</textarea>" in answer.text
    assert "theirs" in answer.text
    assert layer(cast.officer)["NORTH-01"]["keywords"] == ["theirs"]
    assert f'name="seen" value="{stamp(cast.officer, "NORTH-01")}"' in answer.text
    again = save(cast.officer, **form | {"keywords": "mine", "seen": stamp(cast.officer, "NORTH-01")})
    assert again.status_code == 302
    assert layer(cast.officer)["NORTH-01"]["keywords"] == ["mine"]


def test_a_submitted_draft_is_not_written_on_and_nothing_typed_is_lost(cast: Cast, hua: User) -> None:
    support.submit(cast.officer)
    answer = save(hua, **RULE | {"keywords": "a late heron"})
    assert answer.status_code == 409
    assert "not possible at this stage" in answer.text
    assert "HR-01" not in layer(cast.officer)


def test_a_base_rule_is_changed_by_its_actions_only_and_goes_back(cast: Cast) -> None:
    form = {"code": "PII-PHONE-01", "input": "block", "output": "keep", "pattern": "anything"}
    assert save(cast.officer, **form).status_code == 302
    assert layer(cast.officer)["PII-PHONE-01"] == {"code": "PII-PHONE-01", "input": "block"}
    back = browser(cast.officer).post(reverse("console:policy_remove", args=["PII-PHONE-01"]))
    assert back.status_code == 302
    assert layer(cast.officer) == {}


def test_a_second_officer_approves_and_the_submitter_is_shown_no_button(cast: Cast, hua: User) -> None:
    version = support.submit(cast.officer)
    approve = reverse("console:policy_approve", args=[version.pk])
    assert approve not in page(cast.officer, "policy_version", version.pk)
    assert approve in page(hua, "policy_version", version.pk)
    do(cast.officer, "approve", version, reason="me myself")
    assert status(version) == "submitted"
    do(hua, "approve", version)
    assert status(version) == "approved"
    do(cast.officer, "publish", version)
    assert status(version) == "published"
    assert "v1" in page(cast.officer)


def test_nobody_approves_what_was_submitted_anew_since_they_looked(cast: Cast, hua: User) -> None:
    version = support.submit(cast.officer)
    found = re.search(r'name="submission" value="([^"]+)"', page(hua, "policy_version", version.pk))
    assert found
    do(cast.officer, "reopen", version)
    do(cast.officer, "submit", version, reason="something else")
    do(hua, "approve", version, submission=found[1])
    assert status(version) == "submitted"


def test_a_lone_officer_approves_with_a_written_reason(cast: Cast) -> None:
    version = support.submit(cast.officer)
    assert "There is no second officer" in page(cast.officer, "policy_version", version.pk)
    answer = do(cast.officer, "approve", version, reason="  ")
    assert answer.status_code == 400
    assert "Please give a reason in writing." in answer.text
    assert do(cast.officer, "approve", version, reason="the other is on leave").status_code == 302
    assert status(version) == "approved"
    assert "the other is on leave" in page(cast.officer, "policy_version", version.pk)


def test_rejecting_needs_a_reason_and_sends_the_draft_back(cast: Cast, hua: User) -> None:
    version = support.submit(cast.officer)
    assert do(hua, "reject", version).status_code == 400
    assert do(hua, "reject", version, reason="too broad").status_code == 302
    assert status(version) == "draft"
    assert "too broad" in page(cast.officer, "policy_version", version.pk)


def test_a_draft_is_taken_back_and_discarded(cast: Cast, hua: User) -> None:
    version = support.submit(cast.officer)
    do(cast.officer, "reopen", version)
    assert status(version) == "draft"
    do(cast.officer, "discard", version)
    assert status(version) == "discarded"
    assert browser(cast.officer).get(reverse("console:policy_version", args=[version.pk])).status_code == 404


def test_the_differences_count_words_and_show_patterns(cast: Cast, hua: User) -> None:
    support.publish(cast.officer, hua, support.PAY, support.CASES)
    more = support.PAY | {"keywords": ["salary table", "bonus list", "年终奖"]}
    version = support.draft(cast.officer, more, support.CASES | {"pattern": "zy[0-9]{9}"})
    text = page(cast.officer, "policy_version", version.pk)
    assert "+2" in text
    assert "−1" in text
    assert "zy[0-9]{8}</del>" in text
    assert "zy[0-9]{9}</ins>" in text
    assert "weaker" in text


def test_rolling_back_needs_a_reason_and_waits_where_it_weakens(cast: Cast, hua: User) -> None:
    first = support.publish(cast.officer, hua)
    support.publish(cast.officer, hua, support.PAY | {"keywords": ["salary table", "薪酬明细", "bonus"]})
    assert do(cast.officer, "rollback", first).status_code == 400
    assert do(cast.officer, "rollback", first, reason="bonus was too broad").status_code == 302
    assert "rollback to v1" in page(hua)
    assert "bonus was too broad" in page(hua, "policy_history")


def test_a_long_list_is_looked_through_page_by_page(cast: Cast) -> None:
    words = [f"word number {at}" for at in range(1, 301)]
    support.draft(cast.officer, support.PAY | {"keywords": words})
    assert "word number 300" not in page(cast.officer, "policy_rule", "NORTH-01")
    path, client = reverse("console:policy_words", args=["NORTH-01"]), browser(cast.officer)
    assert "word number 81<" not in client.get(path).text
    assert "word number 81<" in client.post(path, {"act": "find", "page": "2"}).text
    found = client.post(path, {"act": "find", "wanted": "ＮＵＭＢＥＲ 300"})
    assert "word number 300<" in found.text
    assert "word number 1<" not in found.text
    client.post(path, {"act": "remove", "word": ["word number 1", "word number 2"]})
    answer = client.post(path, {"act": "add", "add": "a new one\nword number 3"}, follow=True)
    assert "1 added, 1 were there already." in answer.text
    kept = layer(cast.officer)["NORTH-01"]["keywords"]
    assert (len(kept), kept[0], kept[-1]) == (299, "word number 3", "a new one")


def test_saving_the_form_of_a_long_list_keeps_its_words(cast: Cast) -> None:
    words = [f"word number {at}" for at in range(300)]
    support.draft(cast.officer, support.PAY | {"keywords": words})
    form = {key: text for key, text in RULE.items() if key != "new"} | {"keywords": "", "code": "NORTH-01"}
    save(cast.officer, **form | {"input": "flag", "seen": stamp(cast.officer, "NORTH-01")})
    row = layer(cast.officer)["NORTH-01"]
    assert (row["input"], len(row["keywords"])) == ("flag", 300)


def test_the_bench_tries_the_draft_or_what_is_in_force(cast: Cast) -> None:
    support.draft(cast.officer)
    path, form = reverse("console:policy_bench"), {"text": "salary table", "stage": "input", "part": "1"}
    client = browser(cast.officer)
    assert "Would be blocked" in client.post(path, form | {"source": "draft"}).text
    assert "Would be blocked" not in client.post(path, form | {"source": "force"}).text
    support.draft(cast.officer, support.PAY | {"keywords": ["another word"]})
    assert "Would be blocked" not in client.post(path, form | {"source": "draft"}).text


def test_without_own_rules_the_page_says_so(cast: Cast) -> None:
    text = browser(cast.officer).get(reverse("console:policy"), {"kind": "own"}).text
    assert "No rules of your own yet" in text
    assert "Nothing was published yet" in page(cast.officer, "policy_history")


def test_no_page_names_a_version_that_does_not_exist(cast: Cast) -> None:
    assert browser(cast.officer).get(reverse("console:policy_version", args=[UUID(int=7)])).status_code == 404
    assert browser(cast.officer).get(reverse("console:policy_rule", args=["NO-SUCH"])).status_code == 404


def test_a_rule_of_ones_own_is_switched_off_and_on_and_keeps_its_words(cast: Cast) -> None:
    save(cast.officer, **RULE)
    save(cast.officer, **(OPENED | {"state": "off", "seen": stamp(cast.officer, "HR-01")}))
    assert layer(cast.officer)["HR-01"]["enabled"] is False
    assert layer(cast.officer)["HR-01"]["keywords"] == ["salary table", "薪酬明细"]
    with tenant_scope(tenant_of(cast.officer)):
        rules = rulesets.rules_in(rulesets.open_draft())
    assert evaluate("the salary table", rules).action == "allow"
    save(cast.officer, **(OPENED | {"state": "on", "seen": stamp(cast.officer, "HR-01")}))
    assert "enabled" not in layer(cast.officer)["HR-01"]


def test_switching_a_rule_off_weakens_and_is_told(cast: Cast, hua: User) -> None:
    support.publish(cast.officer, hua, support.PAY)
    version = support.draft(cast.officer, support.PAY | {"enabled": False})
    told = page(cast.officer, "policy_version", version.pk)
    assert "switched off" in told
    with tenant_scope(tenant_of(cast.officer)):
        (change,) = rulesets.diff(rulesets.current_version(), version)
    assert change.weakens


@pytest.mark.parametrize(
    ("listed", "own", "kept"),
    [("A4.f", "", "A4.f"), ("", "Pay", "Pay"), ("A4.f", "Pay", "Pay"), ("", "", None)],
)
def test_a_category_is_chosen_from_the_list_or_the_organisation_s_own(
    listed: str, own: str, kept: str | None, cast: Cast
) -> None:
    assert "A4.f Infringement of personal data" in page(cast.officer, "policy_new")
    save(cast.officer, **RULE, category=listed, own_category=own)
    assert layer(cast.officer)["HR-01"].get("category") == kept
