"""Read a list of people from a file as spreadsheets write it, and say of every line what is wrong with it.

CSV with a line of headings; UTF-8 with or without its mark, or GB 18030, which Excel writes in China; commas,
semicolons or tabs. Nothing of the file is trusted, and no cell is ever a formula.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from accounts.errors import RoleImpossible
from accounts.onboarding import Newcomer, check_newcomer
from accounts.roles import Role
from tenants.models import Tenant

MAX_BYTES, MAX_ROWS = 1_500_000, 10_000
# At the terminal, where nobody waits for a page.
MAX_FILE_BYTES, MAX_FILE_ROWS = 20_000_000, 100_000
FAULTS_SHOWN = 200
HEADINGS = {
    "login": ("login", "user name", "username", "account", "账号", "用户名", "登录名"),
    "display_name": ("name", "display name", "display_name", "姓名", "名称"),
    "department": ("department", "部门"),
    "role": ("role", "角色"),
}
ROLES = {
    Role.MEMBER: ("member", "普通用户", "用户", "成员"),
    Role.ADMIN: ("admin", "administrator", "管理员", "系统管理员"),
    Role.OFFICER: ("officer", "security officer", "安全员", "安全管理员"),
    Role.AUDITOR: ("auditor", "审计员", "审计管理员"),
}
_FIELD_OF = {heading: field for field, headings in HEADINGS.items() for heading in headings}
_ROLE_OF = {word: role for role, words in ROLES.items() for word in words}


@dataclass(frozen=True, slots=True)
class Line:
    """A person of the file, and on which line they stand."""

    number: int
    newcomer: Newcomer


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a line."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Roster:
    """What a file says; with a fault nothing of it is taken over."""

    lines: list[Line]
    faults: list[Fault]
    encoding: str


def read_roster(data: bytes, *, tenant: Tenant, max_rows: int = MAX_ROWS) -> Roster:
    """Return the people of a file and every fault of it, up to a bound. Raises ValidationError for no such file."""
    text, encoding = _decode(data)
    rows = _rows(text)
    columns = _columns(next(rows, (1, []))[1])
    lines: list[Line] = []
    faults: list[Fault] = []
    seen: dict[str, int] = {}
    for number, cells in rows:
        if len(lines) + len(faults) >= max_rows:
            raise ValidationError(_("The file has more than %(count)d lines.") % {"count": max_rows})
        try:
            lines.append(_line(number, cells, columns, seen, tenant))
        except ValidationError as error:
            faults.append(Fault(number, " ".join(error.messages)))
    return Roster(lines, faults[:FAULTS_SHOWN], encoding)


def _decode(data: bytes) -> tuple[str, str]:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data:
        raise ValidationError(_("This is not a CSV file. Save it as “CSV UTF-8”."))
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding), "UTF-8" if encoding == "utf-8-sig" else "GB 18030"
        except UnicodeDecodeError:
            continue
    raise ValidationError(_("The file is neither UTF-8 nor GB 18030."))


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the lines that are not empty, with their numbers."""
    first = text.partition("\n")[0]
    delimiter = max((",", ";", "\t"), key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, cells
    except csv.Error:
        said = _("Line %(number)d cannot be read: quotes or a line break are out of place.")
        raise ValidationError(said % {"number": reader.line_num}) from None


def _columns(headings: list[str]) -> list[str]:
    """Return the field of each column. Raises ValidationError for a heading that is unknown, twice there or missing."""
    fields = [_FIELD_OF.get(heading.strip().casefold(), "") for heading in headings]
    if "" in fields or len(set(fields)) < len(fields) or not {"login", "display_name"} <= set(fields):
        raise ValidationError(
            _("The first line names the columns, each once: login, name, and if wanted department and role.")
        )
    return fields


def _line(number: int, cells: list[str], columns: list[str], seen: dict[str, int], tenant: Tenant) -> Line:
    if len(cells) > len(columns):
        raise ValidationError(_("There are more cells than columns."))
    given = dict(zip(columns, (cell.strip() for cell in cells), strict=False))
    newcomer = Newcomer(
        login=given.get("login", "").casefold(),
        display_name=given.get("display_name", ""),
        department=given.get("department", ""),
        role=_role(given.get("role", "")),
    )
    _check(newcomer, tenant)
    first = seen.setdefault(newcomer.login, number)
    if first != number:
        raise ValidationError(_("The login stands on line %(number)d already.") % {"number": first})
    return Line(number, newcomer)


def _role(word: str) -> str:
    role = _ROLE_OF.get(word.casefold()) if word else Role.MEMBER
    if role is None:
        raise ValidationError(_("There is no such role."))
    return role


def _check(newcomer: Newcomer, tenant: Tenant) -> None:
    try:
        check_newcomer(newcomer, tenant=tenant)
    except RoleImpossible:
        raise ValidationError(_("There is no such role.")) from None
    except ValidationError as error:
        names = {"login_name": _("User name"), "display_name": _("Name"), "department": _("Department")}
        told = getattr(error, "error_dict", {"": error.error_list if hasattr(error, "error_list") else []})
        said = [
            f"{names.get(name, '')}: {' '.join(ValidationError(each).messages)}"
            for name, each in told.items()
        ]
        raise ValidationError([text.removeprefix(": ") for text in said]) from None
