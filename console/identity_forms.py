"""Read and fill in the form of a provider."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.http import QueryDict
from django.utils.translation import gettext

from accounts.provider_kinds import rules_of
from accounts.provider_models import IdentityProvider
from accounts.providers import ProviderDraft
from accounts.role_mapping import MAPPABLE_ROLES
from console.identity_fields import SECTIONS, Section, Setting, settings_of

GENERAL = ("name", "position", "default_role", "role_mapping", "code")
ARROW = "="


@dataclass(frozen=True, slots=True)
class Filled:
    """A setting with what stands in it and what is wrong with it."""

    setting: Setting
    value: str = ""
    is_on: bool = False
    is_kept: bool = False
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FilledSection:
    """A section of the form."""

    title: Any
    settings: tuple[Filled, ...]


@dataclass(frozen=True, slots=True)
class ProviderForm:
    """A form as it is shown: everything is text, secrets are never in it."""

    kind: str
    values: Mapping[str, str]
    kept: frozenset[str] = frozenset()
    faults: Mapping[str, list[str]] = field(default_factory=dict)

    @property
    def sections(self) -> list[FilledSection]:
        """Return the settings of the kind."""
        return [self._section(section) for section in SECTIONS[self.kind]]

    @property
    def other_faults(self) -> list[str]:
        """Return what is wrong and stands at no field."""
        shown = {setting.name for setting in settings_of(self.kind)} | set(GENERAL)
        return [text for name, texts in self.faults.items() if name not in shown for text in texts]

    @property
    def role_names(self) -> str:
        """Return the words that a group may be given."""
        return ", ".join(MAPPABLE_ROLES)

    def _section(self, section: Section) -> FilledSection:
        return FilledSection(section.title, tuple(map(self._fill, section.settings)))

    def _fill(self, setting: Setting) -> Filled:
        value = "" if setting.input == "secret" else self.values.get(setting.name, "")
        return Filled(
            setting,
            value=value,
            is_on=value == "on",
            is_kept=setting.name in self.kept,
            faults=tuple(self.faults.get(setting.name, ())),
        )


def form_of(kind: str, provider: IdentityProvider | None) -> ProviderForm:
    """Return the form with what is stored, or with the defaults of the kind."""
    if provider is None:
        return ProviderForm(kind, _defaults(kind))
    values = _texts(kind, provider.settings) | {
        "name": provider.name,
        "position": str(provider.position),
        "default_role": provider.default_role,
        "role_mapping": "\n".join(f"{row['group']} {ARROW} {row['role']}" for row in provider.role_mapping),
    }
    return ProviderForm(kind, values, frozenset(provider.secrets()))


def read_form(kind: str, posted: QueryDict, provider: IdentityProvider | None) -> ProviderForm:
    """Return the form with what was sent."""
    names = [*GENERAL, *(setting.name for setting in settings_of(kind) if setting.input != "secret")]
    kept = frozenset(provider.secrets()) if provider else frozenset()
    return ProviderForm(kind, {name: posted.get(name, "") for name in names}, kept)


def draft_of(form: ProviderForm, posted: QueryDict) -> ProviderDraft:
    """Return what the form wants. Raises ValidationError for a position or mapping that cannot be read."""
    wanted: dict[str, Any] = {}
    secrets: dict[str, str] = {}
    for setting in settings_of(form.kind):
        if setting.input == "secret":
            typed = posted.get(setting.name, "")
            if typed or posted.get(f"{setting.name}.remove"):
                secrets[setting.name] = typed
            continue
        wanted[setting.name] = _value(setting, form.values[setting.name])
    position = form.values["position"].strip() or "0"
    if not (position.isascii() and position.isdigit() and int(position) < 1000):
        raise ValidationError({"position": gettext("A whole number from 0 to 999.")})
    return ProviderDraft(
        name=form.values["name"],
        settings=wanted,
        secrets=secrets,
        role_mapping=_rows(form.values["role_mapping"]),
        default_role=form.values["default_role"],
        position=int(position),
    )


def with_faults(form: ProviderForm, error: ValidationError) -> ProviderForm:
    """Return the form with what is wrong."""
    faults: dict[str, list[str]] = {NON_FIELD_ERRORS: error.messages}
    if hasattr(error, "error_dict"):
        faults = dict(error.message_dict)
    return ProviderForm(form.kind, form.values, form.kept, faults)


def _value(setting: Setting, text: str) -> Any:
    if setting.input == "lines":
        return text.split()
    return text == "on" if setting.input == "flag" else text


def _rows(text: str) -> list[dict[str, str]]:
    """Return the mapping from lines of `group = role`; the last sign counts, for names of groups hold it too."""
    rows = []
    for line in text.splitlines():
        group, arrow, role = line.rpartition(ARROW)
        if line.strip():
            if not arrow:
                raise ValidationError({"role_mapping": gettext("Write one group on each line: group = role")})
            rows.append({"group": group.strip(), "role": role.strip().lower()})
    return rows


def _texts(kind: str, stored: Mapping[str, Any]) -> dict[str, str]:
    texts = {}
    for setting in settings_of(kind):
        value = stored.get(setting.name, "")
        if setting.input == "lines":
            texts[setting.name] = "\n".join(value)
        elif setting.input == "flag":
            texts[setting.name] = "on" if value else ""
        else:
            texts[setting.name] = str(value)
    return texts


def _defaults(kind: str) -> dict[str, str]:
    """Return what stands in a new form: what the kind's own settings begin with."""
    begun = rules_of(kind).defaults
    return _texts(kind, begun) | {
        "position": "0",
        "default_role": "",
        "role_mapping": "",
        "name": "",
        "code": kind,
    }
