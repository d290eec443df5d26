"""Every command, every person who may sign for it: what each gets stands in `who_may.txt`, and nothing is left out.

`shell` are the commands that belong to whoever has the machine: nobody signs for them. Of the others the third column
are the words, as `word&word…`; 0 means that it was done, 1 that the person may and it was refused for another reason,
404 that it was refused as to anybody whom it does not concern.
"""

from __future__ import annotations

import io
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Iterator

import pytest
from django.core.management import CommandError, call_command, get_commands, load_command_class
from django.db import transaction

from common.errors import NotFound
from tests.conftest import PASSWORD
from tests.walls.stage import Stage
from tests.walls.table import COMMANDS, PEOPLE, Row

# Commands that come with what we use. They speak for nobody: whoever may run them has the database and the keys.
LIBRARIES = {
    "allauth.account": {"account_unsetmultipleprimaryemails"},
    "axes": {
        "axes_list_attempts", "axes_reset", "axes_reset_failure_logs", "axes_reset_ip", "axes_reset_ip_username",
        "axes_reset_logs", "axes_reset_username",
    },
    "channels": {"runworker"},
    "daphne": {"runserver"},
    "django.contrib.contenttypes": {"remove_stale_contenttypes"},
    "django.contrib.sessions": {"clearsessions"},
    "django.contrib.staticfiles": {"collectstatic", "findstatic"},
    "encrypted_model_fields": {"generate_encryption_key"},
}  # fmt: skip
BARRED = {"changepassword", "createsuperuser"}
# Reading, and what one person may do where the installation is theirs alone; with a name it is signed all the same.
ALSO_WITHOUT = {
    "policy.versions",
    *(
        f"model.{word}"
        for word in ("compare", "evaluate", "import", "list", "sbom", "show", "verify", "watch")
    ),
}


def our_commands() -> Iterator[tuple[str, ArgumentParser]]:
    """Yield `command` or `command.word` with its parser, for every command of the portal."""
    for name, app in get_commands().items():
        label = str(app)
        if label == "django.core" or name in BARRED or name in LIBRARIES.get(label, ()):
            continue
        parser = load_command_class(label, name).create_parser("manage.py", name)
        yield from ((".".join((name, *words)), each) for words, each in words_of(parser))


def words_of(parser: ArgumentParser) -> list[tuple[tuple[str, ...], ArgumentParser]]:
    """Return the first words that a command takes, with the parser of the rest; none if it takes anything."""
    for action in parser._actions:
        if isinstance(action, _SubParsersAction):
            return [((word,), each) for word, each in action.choices.items()]
        if not action.option_strings and action.choices:
            return [((str(word),), parser) for word in action.choices]
    return [((), parser)]


OURS = dict(our_commands())


def test_every_command_has_its_line() -> None:
    assert sorted(OURS.keys() ^ {row.name for row in COMMANDS}) == []


def test_whoever_can_sign_for_a_command_has_to_unless_it_is_the_machines() -> None:
    """So that no line says `shell` about an act of a person."""
    takes_person = {name for name, parser in OURS.items() if any(a.dest == "person" for a in parser._actions)}
    of_the_shell = {row.name for row in COMMANDS if row.words == ("shell",)}
    assert OURS.keys() - takes_person <= of_the_shell
    assert of_the_shell & takes_person == ALSO_WITHOUT


@pytest.mark.parametrize("name", sorted(BARRED))
def test_commands_that_would_go_past_the_roles_are_barred(name: str) -> None:
    with pytest.raises(CommandError, match="not available"):
        call_command(name)


def test_everybody_gets_what_the_table_says(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCOUNT_PASSWORD", PASSWORD)
    wrong = []
    for row in (row for row in COMMANDS if row.words != ("shell",)):
        got = {who: run(row, stage, who) for who in PEOPLE}
        wrong += [f"{row}: {who} got {got[who]}" for who in PEOPLE if got[who] != row.statuses[who]]
    assert not wrong, "\n".join(wrong)


def run(row: Row, stage: Stage, who: str) -> int:
    """Run a command as somebody, and undo what it did."""
    person = stage.people[who]
    words = [*row.name.split("."), *row.path.format(**stage.things).split("&")]
    signed = ["--as", person.handle] if person else []
    with transaction.atomic():
        try:
            call_command(*words, *signed, stdout=io.StringIO(), stderr=io.StringIO())
        except CommandError as error:
            return 404 if str(error) == NotFound.message else 1
        finally:
            transaction.set_rollback(True)
    return 0
