"""Edit one rule: read what was typed, say at which field it is wrong, and give it back unharmed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

from console.artifacts import Text
from console.policy_set import SetRule
from console.policy_words import ACTIONS, OFF, VALIDATOR_NAMES
from policy.categories import categories
from policy.ruleset import MAX_PATTERN_CHARS, RuleFileError, read_rule
from policy.validators import VALIDATORS

# A list that is longer is edited on a page of its own, where words are looked up, added and taken out.
MAX_WORDS_IN_FORM = 200
MAX_FORM_CHARS = 200_000
_KEPT = "keep"
_ASKING = ("block", "redact", "consent", "flag")
_PREFIX = re.compile(r"^rule [^:]*: (not a linear-time regular expression: )?")


def action_choices(stage: str, *, first: tuple[str, Text]) -> list[tuple[str, Text]]:
    """Return what a rule can do at a stage; an answer is never asked for consent."""
    actions = [action for action in _ASKING if stage == "input" or action != "consent"]
    return [first, *((action, ACTIONS[action].text) for action in actions)]


def category_choices() -> list[tuple[str, str]]:
    """Return the listed classes of risk, with their titles."""
    language = get_language() or ""
    return [(found.code, f"{found.code} {found.title_in(language)}") for found in categories()]


class BaseChangeForm(forms.Form):
    """What an organisation changes about a rule of the base: what it does, at each stage."""

    input = forms.ChoiceField()
    output = forms.ChoiceField()
    seen = forms.CharField(max_length=16, required=False)

    def __init__(self, *args: Any, rule: SetRule, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.rule = rule
        for stage in ("input", "output"):
            choices = action_choices(stage, first=(_KEPT, _("as in the base")))
            self.fields[stage].choices = [*choices, ("off", OFF.text)]  # type: ignore[attr-defined]

    def row(self) -> dict[str, Any] | None:
        """Return the layer's entry; None where nothing differs from the base."""
        wanted = {stage: self.cleaned_data[stage] for stage in ("input", "output")}
        kept = {stage: action for stage, action in wanted.items() if action != _KEPT}
        return {"code": self.rule.code, **kept} if kept else None


class RuleForm(forms.Form):
    """A rule of the organisation's own, open or new; `kept_words` are those of a list too long for the form."""

    code = forms.CharField(max_length=32)
    kind = forms.ChoiceField(choices=[("keywords", "keywords"), ("pattern", "pattern")])
    title = forms.CharField(max_length=80)
    title_zh = forms.CharField(max_length=80, required=False)
    category = forms.CharField(max_length=32, required=False)
    own_category = forms.CharField(max_length=32, required=False)
    state = forms.ChoiceField(choices=[("on", _("switched on")), ("off", _("switched off"))], required=False)
    numerals = forms.BooleanField(required=False)
    priority = forms.IntegerField(min_value=-1000, max_value=1000, required=False)
    input = forms.ChoiceField(choices=lambda: action_choices("input", first=("off", OFF.text)))
    output = forms.ChoiceField(choices=lambda: action_choices("output", first=("off", OFF.text)))
    mask = forms.CharField(max_length=64, required=False)
    pattern = forms.CharField(max_length=MAX_PATTERN_CHARS, required=False, strip=False)
    validator = forms.ChoiceField(choices=[(name, name) for name in VALIDATORS], required=False)
    keywords = forms.CharField(max_length=MAX_FORM_CHARS, required=False)
    seen = forms.CharField(max_length=16, required=False)

    def __init__(self, *args: Any, kept_words: tuple[str, ...] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kept_words = kept_words

    def clean_code(self) -> str:
        """Return the code. Raises ValidationError where the audit log could not carry it."""
        code = str(self.cleaned_data["code"])
        _probe("code", {"code": code, "keywords": ["probe"]})
        return code

    def clean(self) -> dict[str, Any]:
        """Look at what depends on the kind: a pattern or words, and at least one stage at which something happens."""
        data = self.cleaned_data
        if data.get("input") == data.get("output") == "off":
            self.add_error("input", gettext("Choose what happens to messages or to answers."))
        try:
            if data.get("kind") == "pattern":
                _probe_pattern(data.get("pattern", "").strip("\r\n"), data.get("validator") or "any")
            elif self.kept_words is None:
                _probe("keywords", {"keywords": self.words()})
        except forms.ValidationError as error:
            self.add_error(None, error)
        return data

    def words(self) -> list[str]:
        """Return the words, one a line, each once, in the order in which they stand."""
        lines = (line.strip() for line in self.cleaned_data.get("keywords", "").splitlines())
        return list(dict.fromkeys(line for line in lines if line))

    def row(self) -> dict[str, Any]:
        """Return the rule as a table of a rule file."""
        data = self.cleaned_data
        titles = {"en": data["title"], "zh-hans": data["title_zh"]}
        row: dict[str, Any] = {
            "code": data["code"],
            "title": {key: text for key, text in titles.items() if text},
        }
        row |= {stage: data[stage] for stage in ("input", "output") if data[stage] != "off"}
        row |= {key: data[key] for key in ("priority", "mask") if data[key]}
        row |= {"category": category} if (category := data["own_category"] or data["category"]) else {}
        row |= {"enabled": False} if data["state"] == "off" else {}
        if data["kind"] == "keywords":
            return row | {"keywords": list(self.kept_words) if self.kept_words is not None else self.words()}
        row["pattern"] = data["pattern"].strip("\r\n")
        row |= {"numerals": True} if data["numerals"] else {}
        return row | ({"validator": data["validator"]} if data["validator"] not in ("", "any") else {})


@dataclass(frozen=True, slots=True)
class Editor:
    """The open rule with its form; `is_new` is one that the set has not yet, `conflict` what somebody else wrote.

    `word_count` counts a list that is too long for the form.
    """

    form: forms.Form
    rule: SetRule | None
    is_new: bool = False
    word_count: int = 0
    error: str = ""
    conflict: SetRule | None = None

    @property
    def kind(self) -> str:
        """Return what the rule looks for, which chooses its icon and its fields."""
        return self.rule.kind if self.rule else str(self.form["kind"].value())

    @property
    def categories(self) -> list[tuple[str, str]]:
        """Return the classes of risk that a rule can be of, besides one of the organisation's own."""
        return category_choices()

    @property
    def validators(self) -> list[tuple[str, Text]]:
        """Return the checks that can be added to a pattern."""
        return [(name, VALIDATOR_NAMES.get(name, name)) for name in VALIDATORS]


def initial_of(rule: SetRule) -> dict[str, Any]:
    """Return what the form shows of a rule."""
    shared = {"code": rule.code, "kind": rule.kind, "seen": rule.stamp}
    if rule.is_base:
        acts = rule.actions
        stages = ("input", "output")
        same = {stage: acts.get(stage, "off") == rule.base_actions.get(stage, "off") for stage in stages}
        return shared | {stage: _KEPT if same[stage] else acts.get(stage, "off") for stage in stages}
    return shared | {
        "title": rule.title.get("en", ""),
        "title_zh": rule.title.get("zh-hans", ""),
        "category": rule.category if rule.category in dict(category_choices()) else "",
        "own_category": "" if rule.category in dict(category_choices()) else rule.category,
        "state": "on" if rule.enabled else "off",
        "numerals": rule.numerals,
        "priority": rule.priority,
        "input": rule.actions.get("input", "off"),
        "output": rule.actions.get("output", "off"),
        "mask": rule.mask,
        "pattern": rule.pattern,
        "validator": rule.validator,
        "keywords": "\n".join(rule.words) if len(rule.words) <= MAX_WORDS_IN_FORM else "",
    }


def _probe_pattern(pattern: str, validator: str) -> None:
    if not pattern:
        raise forms.ValidationError({"pattern": gettext("Write a pattern.")})
    _probe("pattern", {"pattern": pattern, "validator": validator})


def _probe(name: str, part: dict[str, Any]) -> None:
    """Raise ValidationError, in the rule reader's words, where a rule with this part could not be read."""
    try:
        read_rule({"code": "PROBE", "title": {"en": "probe"}, "input": "flag", **part}, order=0)
    except RuleFileError as error:
        said = _PREFIX.sub("", str(error))
        raise forms.ValidationError(said if name == "code" else {name: said}) from None
