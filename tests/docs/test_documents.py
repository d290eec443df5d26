"""Whatever an operator may set, run or rely on is documented, and what is documented is there."""

from __future__ import annotations

import argparse
import ast
import re
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from policy.ruleset import DEFAULT_RULES, read_rules
from tenants.parameters import PARAMETERS, Choice, Keeper
from tests.docs.reading import (
    REPOSITORY,
    anchors_of,
    links_of,
    markdown_files,
    required_packages,
    table_rows,
    text_of,
)

TWINS = ("README.md", "README.zh-Hans.md")
SETTING = re.compile(r'"((?:PORTAL|DATABASE|REDIS)_[A-Z_]+)"')


def our_commands() -> dict[str, argparse.ArgumentParser]:
    ours = {path.parent.name for path in REPOSITORY.glob("*/apps.py")}
    return {
        name: load_command_class(str(app), name).create_parser("manage.py", name)
        for name, app in get_commands().items()
        if app in ours
    }


def words_after(parser: argparse.ArgumentParser) -> list[str]:
    """Return the words that a command takes first: `create` and `list` of `tenant`."""
    positional = [action for action in parser._actions if not action.option_strings and action.choices]
    return [str(choice) for choice in (positional[0].choices or ())] if positional else []


def integer_settings() -> dict[str, tuple[int, int, int]]:
    """Return default, lowest and highest value of every whole number that common/config.py reads."""
    found: dict[str, tuple[int, int, int]] = {}
    for node in ast.walk(ast.parse(text_of("common/config.py"))):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "integer"
        ):
            named = {word.arg: ast.literal_eval(word.value) for word in node.keywords}
            found[ast.literal_eval(node.args[0])] = (named["default"], named["low"], named["high"])
    return found


def test_every_setting_is_documented() -> None:
    read = set(SETTING.findall(text_of("common/config.py")))
    assert read
    assert read <= table_rows("docs/settings.md").keys()


def test_every_documented_setting_is_read() -> None:
    source = "".join(path.read_text() for path in REPOSITORY.glob("*/**/*.py") if ".venv" not in path.parts)
    documented = {name for name in table_rows("docs/settings.md") if re.fullmatch(r"[A-Z]+(_[A-Z]+)+", name)}
    assert {name for name in documented if f'"{name}"' not in source} == set()


@pytest.mark.parametrize(("name", "numbers"), integer_settings().items())
def test_default_and_range_of_a_number_are_documented_as_they_are(
    name: str, numbers: tuple[int, int, int]
) -> None:
    default, low, high = numbers
    cells = table_rows("docs/settings.md")[name]
    assert cells[1:3] == [f"`{default}`", f"{low}–{high}"]


def test_every_system_parameter_is_documented_with_its_choices_and_who_sets_it() -> None:
    rows = table_rows("docs/settings.md")
    for parameter in PARAMETERS:
        cells = rows[parameter.code]
        assert ("second person" in cells[3]) == parameter.needs_second, parameter.code
        assert cells[3].startswith("operator" if parameter.keeper == Keeper.OPERATOR else "administrator")
        if isinstance(parameter, Choice):
            assert cells[2] == ", ".join(f"`{value}`" for value, _label in parameter.options)


def test_every_command_and_what_it_does_is_documented() -> None:
    operations = text_of("docs/operations.md")
    commands = our_commands()
    assert {"quickstart", "serve"} <= commands.keys()
    wanted = {
        " ".join([name, word]).strip()
        for name, parser in commands.items()
        for word in (words_after(parser) or [""])
    }
    assert {
        phrase for phrase in wanted if not re.search(rf"^\| `{phrase}\b", operations, re.MULTILINE)
    } == set()


def test_every_dependency_is_documented_with_reason_and_licence() -> None:
    rows = table_rows("docs/dependencies.md")
    assert required_packages() - rows.keys() == set()
    assert all(all(rows[name][1:3]) for name in required_packages())


def test_every_documented_dependency_is_required() -> None:
    pending: set[str] = set()
    assert table_rows("docs/dependencies.md").keys() - required_packages() == pending


@pytest.mark.parametrize("path", markdown_files(), ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_link_leads_somewhere(path: Path) -> None:
    for link in links_of(path):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            assert anchor in anchors_of(target), link


def test_the_twins_link_to_each_other_and_say_the_same_things() -> None:
    first, second = (text_of(name) for name in TWINS)
    assert f"({TWINS[1]})" in first
    assert f"({TWINS[0]})" in second
    assert re.findall(r"`[^`\n]*(?:make|manage\.py|pytest)[^`\n]*`", first) == re.findall(
        r"`[^`\n]*(?:make|manage\.py|pytest)[^`\n]*`", second
    )
    assert len(re.findall(r"^#+ ", first, re.MULTILINE)) == len(re.findall(r"^#+ ", second, re.MULTILINE))


@pytest.mark.parametrize("name", [*TWINS, "CONTRIBUTING.md"])
def test_every_test_and_target_that_is_named_exists(name: str) -> None:
    text = text_of(name)
    for path in re.findall(r"\btests/[\w/.]*\w", text):
        assert (REPOSITORY / path).exists(), path
    targets = set(re.findall(r"^([a-z-]+):", text_of("Makefile"), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z-]+)\b", " ".join(re.findall(r"`[^`\n]+`", text)))) <= targets


def test_the_rules_page_lists_the_default_rules() -> None:
    listed = re.findall(r"^\| `([A-Z]+(?:-[A-Z]+)?-\d+)`", text_of("docs/policy.md"), re.MULTILINE)
    assert listed == [rule.code for rule in read_rules(DEFAULT_RULES).rules]


def test_the_example_of_the_rules_page_is_a_rule_file(tmp_path: Path) -> None:
    example = re.search(r"```toml\n(.+?)```", text_of("docs/policy.md"), re.DOTALL)
    assert example is not None
    file = tmp_path / "rules.toml"
    file.write_text(example.group(1), encoding="utf-8")
    assert [rule.code for rule in read_rules(file).rules] == ["HR-PAY-01", "PII-MAIL-01"]
