"""Turn the groups of an organisation's directory into the one role that an account holds.

Pure. Groups are compared without regard to case and to blanks around them, as whole names: `cn=chat,…` and `chat` are
two names. No group makes an operator: they belong to the installation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.errors import NotInAnyGroup, RolesExcludeEachOther
from accounts.roles import Role

MAX_RULES = 100
MAX_GROUP_CHARS = 255
MAPPABLE_ROLES = (Role.MEMBER, Role.ADMIN, Role.OFFICER, Role.AUDITOR)


@dataclass(frozen=True, slots=True)
class RoleMapping:
    """Which group gives which role; `default` is for who is in none of them, and "" refuses them."""

    rules: tuple[tuple[str, str], ...] = ()
    default: str = Role.MEMBER

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]], *, default: str) -> RoleMapping:
        """Return the mapping of stored rows `{"group": …, "role": …}`."""
        return cls(tuple((str(row["group"]), str(row["role"])) for row in rows), default)

    @property
    def gives_roles(self) -> bool:
        """Return whether groups decide on roles; where none is named, the portal's administrators do."""
        return bool(self.rules)


def clean_rows(rows: object) -> list[dict[str, str]]:
    """Return the rows of a mapping, each group once. Raises ValidationError for anything else, and for operators."""
    if not isinstance(rows, (list, tuple)) or len(rows) > MAX_RULES:
        raise ValidationError(_("This is no list of groups and roles, or it is too long."))
    cleaned: dict[str, dict[str, str]] = {}
    for row in rows:
        group, role = _clean_row(row)
        if _same(group) in cleaned:
            raise ValidationError(_("A group is named twice."))
        cleaned[_same(group)] = {"group": group, "role": role}
    return list(cleaned.values())


def role_for_groups(mapping: RoleMapping, groups: Iterable[str], *, three_admin_separation: bool) -> Role:
    """Return the role that somebody in these groups has.

    Any role but Member goes before it. Raises NotInAnyGroup where no group counts and there is no default, and
    RolesExcludeEachOther where the groups give two roles that one person cannot have both: an auditor has no other;
    administrator and security officer are one person only where the organisation does not separate them.
    """
    held = {_same(group) for group in groups}
    found = {Role(role) for group, role in mapping.rules if _same(group) in held and role in MAPPABLE_ROLES}
    if not found and mapping.default in MAPPABLE_ROLES:
        return Role(mapping.default)
    if not found:
        raise NotInAnyGroup
    above = found - {Role.MEMBER}
    if above == {Role.ADMIN, Role.OFFICER} and not three_admin_separation:
        return Role.ADMIN
    if len(above) > 1:
        raise RolesExcludeEachOther
    return above.pop() if above else Role.MEMBER


def _clean_row(row: object) -> tuple[str, str]:
    if not isinstance(row, Mapping) or set(row) != {"group", "role"}:
        raise ValidationError(_("This is no list of groups and roles, or it is too long."))
    group, role = str(row["group"]).strip(), str(row["role"])
    if not group or len(group) > MAX_GROUP_CHARS or not group.isprintable():
        raise ValidationError(_("A group's name is empty, too long, or holds what cannot be printed."))
    if role not in MAPPABLE_ROLES:
        raise ValidationError(
            _("A group can give the roles member, admin, officer and auditor, and no other.")
        )
    return group, role


def _same(group: str) -> str:
    return group.strip().casefold()
