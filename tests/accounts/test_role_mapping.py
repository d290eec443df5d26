"""Groups give one role, never an operator's, and never two that exclude each other."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from accounts.errors import NotInAnyGroup, RolesExcludeEachOther
from accounts.role_mapping import MAPPABLE_ROLES, RoleMapping, clean_rows, role_for_groups
from accounts.roles import Role

RULES = (
    ("Staff", "member"),
    ("cn=chat-admins,ou=groups,dc=x", "admin"),
    ("guards", "officer"),
    ("audit", "auditor"),
)
ADMINS = "CN=Chat-Admins,OU=groups,DC=x"


@pytest.mark.parametrize(
    ("groups", "default", "role"),
    [
        (("staff",), "", "member"),
        ((" STAFF ", "other"), "", "member"),
        (("staff", ADMINS), "", "admin"),
        (("guards",), "", "officer"),
        (("staff", "audit"), "", "auditor"),
        (("other",), "member", "member"),
        ((), "member", "member"),
        (("audit",), "member", "auditor"),
    ],
)
def test_the_highest_of_the_groups_roles_counts(groups: tuple[str, ...], default: str, role: str) -> None:
    mapping = RoleMapping(RULES, default)
    assert role_for_groups(mapping, groups, three_admin_separation=True) == role


@pytest.mark.parametrize(
    "groups", [(), ("other",), ("chat-admins",), ("cn=chat-admins",), ("sta",), ("staff2",)]
)
def test_who_is_in_no_group_is_refused_where_there_is_no_default(groups: tuple[str, ...]) -> None:
    with pytest.raises(NotInAnyGroup):
        role_for_groups(RoleMapping(RULES, ""), groups, three_admin_separation=True)


@pytest.mark.parametrize(
    ("groups", "separated"),
    [
        ((ADMINS, "guards"), True),
        ((ADMINS, "audit"), True),
        (("guards", "audit"), True),
        ((ADMINS, "audit"), False),
        (("guards", "audit"), False),
        ((ADMINS, "guards", "audit"), False),
    ],
)
def test_groups_that_give_roles_which_exclude_each_other_give_none(
    groups: tuple[str, ...], separated: bool
) -> None:
    with pytest.raises(RolesExcludeEachOther):
        role_for_groups(RoleMapping(RULES, "member"), groups, three_admin_separation=separated)


def test_administrator_and_officer_are_one_where_they_are_not_separated() -> None:
    mapping = RoleMapping(RULES, "")
    assert role_for_groups(mapping, (ADMINS, "guards"), three_admin_separation=False) == Role.ADMIN


@given(
    rules=st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from([*Role, "root", ""])), max_size=6),
    default=st.sampled_from([*Role, "root", ""]),
    groups=st.lists(st.sampled_from("abcde"), max_size=5),
    separated=st.booleans(),
)
def test_no_mapping_whatever_is_stored_makes_an_operator(
    rules: list[tuple[str, str]], default: str, groups: list[str], separated: bool
) -> None:
    mapping = RoleMapping(tuple((group, str(role)) for group, role in rules), str(default))
    try:
        role = role_for_groups(mapping, groups, three_admin_separation=separated)
    except NotInAnyGroup:
        return
    assert role in MAPPABLE_ROLES


@pytest.mark.parametrize(
    "rows",
    [
        "admins",
        None,
        [{"group": "a"}],
        [{"group": "a", "role": "operator"}],
        [{"group": "a", "role": "root"}],
        [{"group": "", "role": "member"}],
        [{"group": "a\n", "role": "member", "more": 1}],
        [{"group": "a\x00b", "role": "member"}],
        [{"group": "a" * 256, "role": "member"}],
        [{"group": "a", "role": "member"}, {"group": " A ", "role": "admin"}],
        [{"group": str(n), "role": "member"} for n in range(101)],
        ["ab"],
    ],
)
def test_a_malformed_mapping_is_refused(rows: object) -> None:
    with pytest.raises(ValidationError):
        clean_rows(rows)
