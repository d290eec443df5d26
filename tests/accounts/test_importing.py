"""A file of people is read line by line, does what it said it would, and loses and repeats nothing."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client

from accounts import importing
from accounts.errors import ImportRunning
from accounts.import_models import AccountImport
from accounts.importing import BATCH, SILENT_S, carry_on, find_import, keep_import, plan_import, take_list
from accounts.models import User
from accounts.onboarding import Way
from accounts.roster import MAX_BYTES, MAX_ROWS, read_roster
from accounts.sheets import write_sheet
from audit.models import AuditEvent
from common.access import PermissionMissing
from common.errors import NotFound
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.accounts.support import sign_in, who
from tests.conftest import PASSWORD, Cast
from tests.qwenportal.support import browser

PAGE = "/console/users/import/"
GOOD = "login,name,department,role\nzhou.min,周敏,信审部,member\nhe.w,何伟,,审计员\n"


def tenant_of(cast: Cast) -> Tenant:
    assert cast.admin.tenant is not None
    return cast.admin.tenant


def read(cast: Cast, text: str | bytes, **bounds: int) -> Any:
    data = text if isinstance(text, bytes) else text.encode()
    return read_roster(data, tenant=tenant_of(cast), **bounds)


def faults(cast: Cast, *lines: str) -> list[tuple[int, str]]:
    found = read(cast, "login,name,department,role\n" + "\n".join(lines))
    return [(fault.number, fault.text) for fault in found.faults]


def people(count: int) -> str:
    return "login,name\n" + "".join(f"user{at:04},Person {at}\n" for at in range(count))


def kept(cast: Cast, text: str, way: Way = Way.INVITATION) -> AccountImport:
    return keep_import(read(cast, text).lines, way=way, by=cast.admin)


def done(cast: Cast, text: str, way: Way = Way.INVITATION) -> AccountImport:
    run = kept(cast, text, way)
    importing.begin_import(run, by=cast.admin)
    carry_on(run)
    return run


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (GOOD.encode(), "UTF-8"),
        (b"\xef\xbb\xbf" + GOOD.encode(), "UTF-8"),
        (GOOD.encode("gb18030"), "GB 18030"),
        (GOOD.replace("\n", "\r\n").encode(), "UTF-8"),
        (GOOD.replace(",", ";").encode(), "UTF-8"),
        (GOOD.replace(",", "\t").encode(), "UTF-8"),
        (GOOD.replace("login,name,department,role", "账号,姓名,部门,角色").encode("gb18030"), "GB 18030"),
    ],
    ids=["utf-8", "mark", "gb18030", "crlf", "semicolon", "tab", "chinese headings"],
)
def test_a_file_is_read_as_spreadsheets_write_it(data: bytes, encoding: str, cast: Cast) -> None:
    roster = read(cast, data)
    assert (roster.faults, roster.encoding) == ([], encoding)
    found = [(line.number, line.newcomer.login, line.newcomer.display_name) for line in roster.lines]
    assert found == [(2, "zhou.min", "周敏"), (3, "he.w", "何伟")]
    assert [line.newcomer.role for line in roster.lines] == ["member", "auditor"]


@pytest.mark.parametrize(
    "data",
    [
        GOOD.encode("utf-16"),
        b"login,name\na,\x00b\n",
        b"\xff\xff\xff",
        b"",
        b"login\na\n",
        b"login,name,login\n",
        b"login,name,password\n",
        b'login,name\na,"unclosed\n',
        b"PK\x03\x04\x14\x00\x06\x00",
    ],
)
def test_what_is_no_such_file_is_refused_as_a_whole(data: bytes, cast: Cast) -> None:
    response = send(browser(cast.admin), data)
    assert response.status_code == 400
    assert 'class="err"' in response.text
    assert User.objects.count() == 8


def send(client: Client, data: bytes, entry: str = "invitation") -> Any:
    return client.post(PAGE, {"file": SimpleUploadedFile("people.csv", data), "entry": entry})


def test_each_line_says_what_is_wrong_with_it(cast: Cast) -> None:
    found = faults(
        cast,
        "good,Good Person",
        "=cmd,Calc",
        'ok1,"=HYPERLINK(""http://x"")"',
        "ok2,+86 130",
        "ok3,A,@SUM",
        "ok4,a\u202eb",
        "ok5,",
        ",Nobody",
        "GOOD,Twice",
        "ok6,B,,boss",
        "ok7,B,,operator",
        "ok8,B,x,member,extra",
        f"{'x' * 65},Long",
        "ok9,a\u200bb",
    )
    assert [number for number, _text in found] == list(range(3, 16))
    assert "formula" in found[1][1]
    assert "line 2" in found[7][1]
    assert "no such role" in found[8][1]
    assert all(text and "good" not in text for _number, text in found)


def test_a_file_has_bounds(cast: Cast) -> None:
    assert len(read(cast, people(5), max_rows=5).lines) == 5
    client = browser(cast.admin)
    too_many = ("login,name\n" + "a,b\n" * (MAX_ROWS + 1)).encode()
    assert "more than" in send(client, too_many).text
    assert "larger than" in send(client, b"x" * (MAX_BYTES + 1)).text


def test_a_dry_run_says_exactly_what_happens_and_changes_nothing(cast: Cast) -> None:
    text = GOOD + "mei,Not Mei,,admin\n"
    before = User.objects.count()
    client = browser(cast.admin)
    response = send(client, text.encode())
    page = client.get(response["Location"]).text
    assert User.objects.count() == before
    assert "2 new accounts would be made; 1 are there already" in page
    plan = plan_import(read(cast, text).lines, tenant=tenant_of(cast))
    assert [each.is_new for each in plan] == [True, True, False]
    with tenant_scope(tenant_of(cast).pk):
        run = AccountImport.objects.get()
    importing.begin_import(run, by=cast.admin)
    carry_on(run)
    assert (User.objects.count() - before, run.created) == (2, 2)
    mei = User.objects.get(pk=cast.member.pk)
    assert (mei.display_name, mei.role) == ("Mei", "member"), "what exists is never changed"


def test_a_file_with_one_fault_imports_nothing(cast: Cast) -> None:
    response = send(browser(cast.admin), (GOOD + "x,=1\n").encode())
    assert response.status_code == 400
    assert "Nothing was imported" in response.text
    with tenant_scope(tenant_of(cast).pk):
        assert not AccountImport.objects.exists()


def test_a_second_import_of_the_same_file_makes_nothing(cast: Cast) -> None:
    done(cast, people(45))
    run = done(cast, people(45))
    assert (run.created, run.position) == (0, 45)
    assert User.objects.filter(login_name__startswith="user").count() == 45


def test_an_import_stops_and_goes_on_and_loses_nothing(cast: Cast) -> None:
    run = kept(cast, people(3 * BATCH))
    importing.begin_import(run, by=cast.admin)
    with tenant_scope(run.tenant_id):
        run.refresh_from_db()
        importing._work_on(run)
    importing.stop_import(run, by=cast.admin)
    carry_on(run)
    assert (run.state, run.position, run.created) == ("stopped", BATCH, BATCH)
    assert User.objects.filter(login_name__startswith="user").count() == BATCH
    importing.begin_import(run, by=cast.admin)
    carry_on(run)
    assert (run.state, run.created) == ("done", 3 * BATCH)
    assert len(list(take_list(run, by=cast.admin))) == 3 * BATCH


def test_an_import_whose_process_died_goes_on_elsewhere(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    run = kept(cast, people(BATCH + 5))
    importing.begin_import(run, by=cast.admin)
    with tenant_scope(run.tenant_id):
        run.refresh_from_db()
        importing._work_on(run)
    with pytest.raises(ImportRunning):
        importing.begin_import(run, by=cast.admin)
    later = run.beat_at + timedelta(seconds=SILENT_S + 1)
    monkeypatch.setattr("common.clock.now", lambda: later)
    page = browser(cast.admin).get(f"{PAGE}{run.pk}/").text
    assert "It was interrupted" in page
    importing.begin_import(run, by=cast.admin)
    stale = find_import(run.pk, by=cast.admin)
    carry_on(run)
    with tenant_scope(run.tenant_id):
        importing._work_on(stale)
    assert (run.state, run.created) == ("done", BATCH + 5)
    assert User.objects.filter(login_name__startswith="user").count() == BATCH + 5


def test_whoever_loses_the_role_imports_nothing_more(cast: Cast) -> None:
    run = kept(cast, people(BATCH + 1))
    importing.begin_import(run, by=cast.admin)
    with tenant_scope(run.tenant_id):
        run.refresh_from_db()
        importing._work_on(run)
    User.objects.filter(pk=cast.admin.pk).update(role="member")
    carry_on(run)
    assert (run.state, run.created) == ("stopped", BATCH)


def test_only_administrators_import_and_only_for_their_own(cast: Cast) -> None:
    run = kept(cast, GOOD)
    User.objects.filter(pk=cast.outsider.pk).update(role="admin")
    stranger = User.objects.get(pk=cast.outsider.pk)
    for by in (cast.member, cast.officer, cast.auditor, cast.operator):
        with pytest.raises(PermissionMissing):
            keep_import([], way=Way.INVITATION, by=by)
        with pytest.raises(PermissionMissing):
            find_import(run.pk, by=by)
    with pytest.raises(NotFound):
        find_import(run.pk, by=stranger)
    for act in (importing.begin_import, take_list):
        with pytest.raises(NotFound):
            act(run, by=stranger)
    for path in ("", "begin/", "stop/", "list/", "drop/"):
        client = browser(stranger)
        assert (client.post if path else client.get)(f"{PAGE}{run.pk}/{path}").status_code == 404


def rows_of(response: Any) -> list[list[str]]:
    assert response.headers["Content-Disposition"].startswith("attachment")
    return list(csv.reader(io.StringIO(response.content.decode("utf-8-sig"))))


@pytest.mark.parametrize("way", [Way.INVITATION, Way.PASSWORD])
def test_the_list_opens_the_accounts_and_is_given_once(way: Way, cast: Cast, client: Client) -> None:
    run, admin = done(cast, GOOD, way), browser(cast.admin)
    rows = rows_of(admin.post(f"{PAGE}{run.pk}/list/"))
    assert [row[0] for row in rows[1:]] == ["he.w", "zhou.min"]
    opens = rows[2][3]
    if way == Way.INVITATION:
        client.get(opens.removeprefix("http://testserver"))
        client.post("/accounts/invitation/", {"new": PASSWORD, "again": PASSWORD})
        opens = PASSWORD
    sign_in(client, "zhou.min", password=opens)
    assert who(client) == str(User.objects.get(login_name="zhou.min").pk)
    assert admin.post(f"{PAGE}{run.pk}/list/").status_code == 404
    assert AuditEvent.objects.filter(action="account.import_list", outcome="ok").count() == 1


def test_first_passwords_are_stored_nowhere_and_differ(cast: Cast) -> None:
    run = done(cast, people(3), Way.PASSWORD)
    with tenant_scope(run.tenant_id):
        stored = str(AccountImport.objects.values().get()) + str(list(User.objects.values()))
    passwords = [each.password for each in take_list(run, by=cast.admin)]
    assert len(set(passwords)) == 3
    assert all(re.fullmatch(r"(?:[2-9a-z]{4}-){3}[2-9a-z]{4}", password) for password in passwords)
    assert not [password for password in passwords if password in stored]


def test_a_password_that_was_reset_since_is_not_on_the_list(cast: Cast) -> None:
    run = done(cast, people(2), Way.PASSWORD)
    from accounts.passwords import give_temporary_password

    give_temporary_password(User.objects.get(login_name="user0000"), by=cast.admin)
    assert [bool(each.password) for each in take_list(run, by=cast.admin)] == [False, True]


def test_every_account_has_its_event_in_the_name_of_who_imported(cast: Cast) -> None:
    run = done(cast, GOOD)
    ids = [str(User.objects.get(login_name=login).pk) for login in ("he.w", "zhou.min")]
    events = AuditEvent.objects.filter(object_id__in=ids).order_by("seq")
    assert sorted(event.action for event in events) == [
        "account.create", "account.create", "account.make_auditor",
    ]  # fmt: skip
    begun = AuditEvent.objects.get(action="account.import")
    assert {event.actor for event in events} == {begun.actor}
    assert run.state == "done"


def test_the_export_is_what_the_list_shows_and_harmless(cast: Cast) -> None:
    User.objects.filter(pk=cast.member.pk).update(display_name="=1+1", department="@x")
    rows = rows_of(browser(cast.admin).post("/console/users/export/", {"role": "member"}))
    assert [row[0] for row in rows] == ["login", "lin", "mei"]
    assert rows[2][1:4] == ["'=1+1", "'@x", "member"]
    assert AuditEvent.objects.filter(action="account.export").count() == 1


@pytest.mark.parametrize("cell", ["=1", "+1", "-1", "@a", "|x", "\tx", "\rx"])
def test_no_cell_of_a_sheet_is_a_formula(cell: str) -> None:
    [_, [written]] = csv.reader(io.StringIO(write_sheet(["a"], [[cell]]).decode("utf-8-sig"), newline=""))
    assert written == f"'{cell}"


def command(
    cast: Cast, path: Path, *more: str, monkeypatch: pytest.MonkeyPatch, login: str = "north/wei"
) -> str:
    monkeypatch.setenv("ACCOUNT_PASSWORD", PASSWORD)
    said = io.StringIO()
    call_command("account", "import", str(path), "--tenant", "north", "--as", login, *more, stdout=said)
    return said.getvalue()


def test_the_command_does_as_the_console(cast: Cast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, sheet = tmp_path / "people.csv", tmp_path / "list.csv"
    file.write_text(GOOD + "mei,Not Mei\n", encoding="gb18030")
    assert "2 new accounts, 1 there already (GB 18030)" in command(
        cast, file, "--dry-run", monkeypatch=monkeypatch
    )
    assert not User.objects.filter(login_name="zhou.min").exists()
    said = command(cast, file, "--list", str(sheet), monkeypatch=monkeypatch)
    assert "3 of 3 lines dealt with, 2 accounts made: done" in said
    assert sheet.stat().st_mode & 0o777 == 0o600
    rows = list(csv.reader(io.StringIO(sheet.read_bytes().decode("utf-8-sig"))))
    assert [row[0] for row in rows] == ["login", "he.w", "zhou.min"]
    assert all("/accounts/invitation/" in row[2] for row in rows[1:])


def test_the_command_refuses_what_the_console_refuses(
    cast: Cast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "people.csv"
    file.write_text(GOOD + "x,=1\n")
    with pytest.raises(CommandError, match="not right"):
        command(cast, file, monkeypatch=monkeypatch)
    with pytest.raises(CommandError, match="cannot be read"):
        command(cast, tmp_path / "none.csv", monkeypatch=monkeypatch)
    file.write_text(GOOD)
    with pytest.raises(CommandError, match="--list"):
        command(cast, file, monkeypatch=monkeypatch)
    for login in ("north/jun", "south/mei", "tao"):
        with pytest.raises(CommandError):
            command(cast, file, "--dry-run", monkeypatch=monkeypatch, login=login)
    assert not User.objects.filter(login_name="zhou.min").exists()
