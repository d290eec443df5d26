"""Every address, every method, every person: what each gets stands in `who_may.txt`, and nothing is left out of it.

A new address fails here until it has its lines. To add one:

1. In `who_may.txt`, in the section that fits, one line for each method that it takes:

       console:users   GET   /console/users/          admin=200
       console:user    POST  /console/users/{user}/   admin=302

   name, method, path, and who gets which status. The words for people: `anonymous`, `owner` (of the personal things),
   `member`, `admin`, `officer`, `auditor`, `operator`, `staff` (all but members), `signed-in`, `anybody`. Whoever is
   not named must get what a missing page gives (404), and the anonymous the way to the sign-in page (302). Methods
   without a line must give 405.

2. What the address names in `{…}` is a thing of `things.py`: add how to make one, and whom it exists for. Of a thing of
   one organisation the people of another get 404 whatever the line says: an `admin=200` there means the own one's.

3. A form that needs a field to be taken has it in `stage.FORM`, or for this address alone in `stage.FORMS`.

Nothing that is asked here lasts; each request is taken back. Websocket frames and commands have lines of their own in
the same table, see test_frames.py and test_commands.py.
"""

from __future__ import annotations

from tests.walls.stage import Stage, shown
from tests.walls.table import COMMANDS, FRAMES, METHODS, PEOPLE, ROWS, Row, every_address

ADDRESSES = {address.name: address for address in every_address()}


def test_every_address_has_its_lines() -> None:
    assert sorted(ADDRESSES.keys() - {row.name for row in ROWS}) == []


def test_every_line_is_about_an_address_that_there_is() -> None:
    assert sorted({row.name for row in ROWS} - ADDRESSES.keys()) == []


def test_no_line_stands_twice() -> None:
    keys = [(row.name, row.method, row.path) for row in (*ROWS, *FRAMES, *COMMANDS)]
    assert [key for key in set(keys) if keys.count(key) > 1] == []


def test_every_part_of_an_address_is_a_thing() -> None:
    """So that none is asked for with the one value that happens to be harmless."""
    counted = {(row.name, len(row.things)) for row in ROWS}
    assert {one for one in counted if len(ADDRESSES[one[0]].parts) != one[1]} == set()


def test_everybody_gets_what_the_table_says(stage: Stage) -> None:
    """And what is forbidden looks like what is missing: in status, headers and page like an address that is none."""
    nowhere = {who: looks(stage.send(who, "GET", "/no/such/page/", {})) for who in PEOPLE}
    wrong, telling = [], []
    for row in ROWS:
        got = {who: stage.ask(row, who) for who in PEOPLE}
        statuses = {who: response.status_code for who, response in got.items()}
        wrong += [f"{row}: {who} got {statuses[who]}" for who in differing(statuses, row.statuses)]
        for who in (who for who in PEOPLE if statuses[who] == row.statuses[who] == 404):
            none = looks(stage.ask(row, who, missing=True)) if row.things else nowhere[who]
            if not looks(got[who]) == none == nowhere[who]:
                telling.append(f"{row} by {who}")
    assert not wrong, "\n".join(wrong)
    assert not telling, "\n".join(telling)


def differing(one: dict[str, int], other: dict[str, int]) -> list[str]:
    return [key for key in one if one[key] != other[key]]


def test_whoever_is_not_signed_in_is_sent_to_sign_in(stage: Stage) -> None:
    sent = {str(row): stage.ask(row, "anonymous")["Location"] for row in ROWS if not row.is_public}
    assert {row: to for row, to in sent.items() if not to.startswith("/accounts/login/?next=")} == {}


def test_no_address_takes_another_method(stage: Stage) -> None:
    wrong = []
    for name, rows in by_name().items():
        for method in sorted(set(METHODS) - {row.method for row in rows}):
            for who in {"anonymous", next(iter(rows[0].allowed))}:
                status = stage.ask(rows[0], who, method=method).status_code
                if status != (302 if who == "anonymous" and not rows[0].is_public else 405):
                    wrong.append(f"{name}: {method} by {who} got {status}")
    assert not wrong, "\n".join(wrong)


def by_name() -> dict[str, list[Row]]:
    """Return the lines of each address, without those that are missing pages to everybody, by whatever method."""
    rows: dict[str, list[Row]] = {}
    for row in ROWS:
        if set(row.statuses.values()) != {404}:
            rows.setdefault(row.name, []).append(row)
    return rows


def looks(response: object) -> object:
    return response.status_code, sorted(response.headers), shown(response)  # type: ignore[attr-defined]
