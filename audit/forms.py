"""Read an auditor's filters out of the address; whatever is malformed gets an error beside its field."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, cast

from django import forms
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

from audit.actions import ACTIONS
from audit.models import to_microseconds
from audit.queries import STATUS_RANGES, EventFilter

HIGHEST_SEQ = 2**63 - 1
TIME_FORMATS = ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d")
_LAST_MOMENT = {10: timedelta(days=1), 16: timedelta(minutes=1), 19: timedelta(seconds=1)}
"""How long the moment lasts that is written with so many characters: "until Tuesday" includes Tuesday."""


def action_choices() -> list[tuple[str, Any]]:
    """Return every action, grouped by its family, with the whole family first."""
    families: dict[str, list[tuple[str, Any]]] = {}
    for action in ACTIONS:
        family = action.name.partition(".")[0]
        families.setdefault(family, [(f"{family}.*", f"{family}.*")]).append((action.name, action.label))
    return [("", _("All actions")), *families.items()]


def _select() -> forms.Select:
    return forms.Select(attrs={"class": "input"})


class FilterForm(forms.Form):
    """Times are in the portal's time zone; `before` and `after` are places in the chain."""

    since = forms.DateTimeField(label=_("From"), required=False, input_formats=TIME_FORMATS)
    until = forms.DateTimeField(label=_("Until"), required=False, input_formats=TIME_FORMATS)
    action = forms.ChoiceField(label=_("Action"), required=False, choices=action_choices, widget=_select())
    status = forms.ChoiceField(label=_("Status"), required=False, widget=_select())
    actor = forms.CharField(
        label=_("Person"),
        required=False,
        max_length=24,
        validators=[
            RegexValidator(r"^(u_[0-9a-f]{0,16}|system)$", _("Write the pseudonym or its beginning: u_3fa8"))
        ],
    )
    before = forms.IntegerField(required=False, min_value=1, max_value=HIGHEST_SEQ, widget=forms.HiddenInput)
    after = forms.IntegerField(required=False, min_value=0, max_value=HIGHEST_SEQ, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("since", "until"):
            self.fields[name].widget = forms.DateTimeInput(
                attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"
            )
        status = cast(forms.ChoiceField, self.fields["status"])
        status.choices = [
            ("", _("All statuses")),
            ("ok", _("Done (below 400)")),
            ("4xx", "4xx"),
            ("5xx", "5xx"),
        ]
        status.choices += self._exact_status()

    def clean(self) -> dict[str, Any]:
        """Refuse a time span that ends before it begins, and a page in two directions."""
        data = super().clean() or self.cleaned_data
        if data.get("since") and data.get("until") and data["since"] > data["until"]:
            self.add_error("until", _("This is before the start."))
        if data.get("before") is not None and data.get("after") is not None:
            self.add_error(None, _("A page has one direction only."))
        return data

    def wanted(self) -> EventFilter:
        """Return the filter of a valid form."""
        data = self.cleaned_data
        until = self._after_the_end(data["until"])
        return EventFilter(
            since_us=to_microseconds(data["since"]) if data["since"] else None,
            until_us=to_microseconds(until) if until else None,
            action=data["action"],
            status=data["status"],
            actor=data["actor"],
        )

    def _after_the_end(self, until: datetime | None) -> datetime | None:
        written = str(self.data.get("until", "")).strip()
        if until is None or len(written) not in _LAST_MOMENT:
            return until
        try:
            return until + _LAST_MOMENT[len(written)]
        except OverflowError:
            return until

    def _exact_status(self) -> list[tuple[str, str]]:
        """Return the exact status that was asked for as a choice, so that it is valid and stays selected."""
        status = str(self.data.get("status", ""))
        is_exact = status.isascii() and status.isdigit() and 100 <= int(status[:4]) <= 599
        return [(status, status)] if is_exact and status not in STATUS_RANGES else []
