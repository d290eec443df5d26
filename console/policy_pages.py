"""Put together what the page of all rules shows: list, open rule, draft, bench."""

from __future__ import annotations

from dataclasses import dataclass, replace

from django.conf import settings
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.roles import POLICY_EDIT
from common.errors import NotFound
from console.policy_acting import acting_rules
from console.policy_bench import Verdict, too_long, try_text
from console.policy_editor import MAX_WORDS_IN_FORM, BaseChangeForm, Editor, RuleForm, initial_of
from console.policy_list import RuleList, list_rules
from console.policy_set import SetRule, ShownSet, shown_set
from console.policy_versions import Version, show_version
from policy.errors import PolicyUnavailable
from policy.models import OPEN, RuleSetVersion
from policy.ruleset import RuleFileError, Stage
from policy.rulesets import RuleFigures, name_of, open_draft, rule_statistics
from policy.statistics import DAYS


@dataclass(frozen=True, slots=True)
class Asked:
    """What the list was asked for, and which rule is open; `new` is the kind of one that is being written."""

    wanted: str = ""
    kind: str = ""
    code: str = ""
    new: str = ""


@dataclass(frozen=True, slots=True)
class Bench:
    """The test bench: what was typed, and what the engine said of it."""

    text: str = ""
    stage: Stage = "input"
    source: str = "draft"
    verdict: Verdict | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class PolicyPage:
    """The page of all rules; `waiting` is a rollback that waits for approval."""

    version: str
    list: RuleList
    draft: Version | None
    waiting: Version | None
    editor: Editor | None
    figures: RuleFigures | None
    days: int
    may_edit: bool
    has_own: bool
    bench: Bench


def policy_page(
    viewer: User, asked: Asked, *, bench: Bench | None = None, editor: Editor | None = None
) -> PolicyPage:
    """Return the page of all rules. Raises NotFound where the rule that is asked for does not exist."""
    shown = shown_set()
    figures = rule_statistics(viewer.tenant_id) if viewer.tenant_id else {}
    opened = editor or _editor(shown, asked)
    code = opened.rule.code if opened and opened.rule else ""
    rollback = RuleSetVersion.objects.filter(status__in=OPEN, restores__isnull=False).first()
    return PolicyPage(
        version=shown.current.label if shown.current else name_of(None),
        list=list_rules(shown.rules, figures=figures, wanted=asked.wanted, kind=asked.kind),
        draft=show_version(shown.draft, viewer) if shown.draft else None,
        waiting=show_version(rollback, viewer) if rollback else None,
        editor=opened,
        figures=figures.get(code),
        days=DAYS,
        may_edit=viewer.has_permission(POLICY_EDIT) and shown.is_editable,
        has_own=any(not rule.is_base for rule in shown.rules),
        bench=bench or Bench(source="draft" if shown.draft else "force"),
    )


def try_on_bench(text: str, *, stage: Stage, source: str) -> Bench:
    """Return the bench with the engine's decision on the text, by the draft where it is asked for and there is one."""
    draft = open_draft() if source == "draft" else None
    tried = Bench(text=text, stage=stage, source="draft" if draft else "force")
    limit = settings.PORTAL.max_prompt_chars
    if len(text) > limit:
        return replace(tried, error=too_long(limit))
    try:
        rules = acting_rules(draft)
        return replace(tried, verdict=try_text(text, rules, stage=stage)) if text else tried
    except RuleFileError as error:
        return replace(tried, error=_("The draft cannot be used as it is: %(why)s") % {"why": error})
    except PolicyUnavailable as error:
        return replace(tried, error=_(str(error.message)))


def editor_of(rule: SetRule, data: object = None) -> Editor:
    """Return the editor of a rule, with what was typed where something was."""
    is_long = len(rule.words) > MAX_WORDS_IN_FORM
    initial = initial_of(rule)
    if rule.is_base:
        return Editor(BaseChangeForm(data, rule=rule, initial=initial), rule)
    form = RuleForm(data, initial=initial, kept_words=rule.words if is_long else None)
    return Editor(form, rule, word_count=len(rule.words) if is_long else 0)


def new_editor(kind: str, data: object = None) -> Editor:
    """Return the editor of a rule that the set has not yet."""
    initial = {"kind": kind, "input": "block", "output": "off", "priority": 0, "validator": "any"}
    return Editor(RuleForm(data, initial=initial), None, is_new=True)


def _editor(shown: ShownSet, asked: Asked) -> Editor | None:
    if asked.new:
        return new_editor(asked.new)
    rule = shown.rule(asked.code) if asked.code else next(iter(shown.rules), None)
    if rule is None and asked.code:
        raise NotFound
    return editor_of(rule) if rule else None
