"""Read the form of system parameters: what was typed, and what the page had shown."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from django.http import QueryDict

from accounts.parameters import Wanted
from common.errors import BadRequest
from tenants.parameters import AnyParameter

MAX_VALUE_CHARS = 40
_BASE = re.compile(r"[0-9]{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ParameterForm:
    """What somebody typed by code, of it what differs from what their page had shown, and why."""

    typed: dict[str, str]
    wanted: dict[str, Wanted]
    reason: str


def read_parameters(form: QueryDict, parameters: Iterable[AnyParameter]) -> ParameterForm:
    """Return what a form says of these parameters. Raises BadRequest where it is not a form of ours.

    A field that was left as the page had shown it is not wanted, whatever the value is by now.
    """
    typed, wanted = {}, {}
    for parameter in parameters:
        text = form.get(f"value.{parameter.code}")
        if text is None:
            continue
        base = form.get(f"base.{parameter.code}", "")
        if len(text) > MAX_VALUE_CHARS or not _BASE.fullmatch(base):
            raise BadRequest
        typed[parameter.code] = text
        if text.strip() != form.get(f"shown.{parameter.code}"):
            wanted[parameter.code] = Wanted(text, int(base))
    return ParameterForm(typed=typed, wanted=wanted, reason=form.get("reason", ""))
