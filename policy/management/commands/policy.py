"""Write, try, publish and roll back an organisation's rules, and measure rules on a corpus."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser, no_translations
from tqdm import tqdm

from accounts.models import User
from accounts.roles import POLICY_VIEW
from accounts.terminal import ask_person
from common.errors import PortalError
from policy import corpus as corpora
from policy import rulesets
from policy.base import base_rules
from policy.history import require
from policy.importing import ListError, WordList, broad_words, read_list
from policy.models import RuleSetVersion, Status
from policy.ruleset import STRENGTH, RuleFileError, RuleSet
from policy.serving import rule_sets
from policy.trying import dry_run
from tenants.scope import tenant_scope
from tenants.services import find_tenant_id

ACTIONS = ("block", "redact", "consent", "flag")
SHOWN_LINES = 20
WITHOUT_PERSON = frozenset({"evaluate", "versions"})


class Command(BaseCommand):
    """`manage.py policy import|export|evaluate|try|submit|approve|publish|rollback|versions`."""

    help = "Write, try, publish and roll back an organisation's rules"

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="what", required=True)
        _add_import(commands)
        exporting = _add(commands, "export", "write an organisation's rules as JSON lines")
        exporting.add_argument(
            "--version", type=int, dest="number", help="an earlier version; else the one in force"
        )
        _add_evaluate(commands)
        _add(commands, "versions", "list what was published, and what is on its way")
        _add(commands, "try", "run the draft on the portal's own corpus, or on one of yours").add_argument(
            "--corpus", type=Path, help="a corpus as for evaluate"
        )
        for word, text in (
            ("submit", "ask for approval of the draft"),
            ("approve", "approve the draft as the second person"),
            ("publish", "put the approved draft into force"),
        ):
            parser = _add(commands, word, text)
            parser.add_argument("--reason", default="", help="why, in writing")
            if word != "submit":
                parser.add_argument("--rollback", action="store_true",
                                    help="the rollback that waits, not the draft")  # fmt: skip
        rolling = _add(commands, "rollback", "bring back an earlier version")
        rolling.add_argument("number", type=int, help="its number, as in `policy versions`")
        rolling.add_argument("--reason", default="", help="why, in writing")

    @no_translations  # one language on the terminal
    def handle(self, *args: Any, **options: Any) -> None:
        what = str(options["what"])
        try:
            if what == "evaluate":
                self._evaluate(options)
                return
            by = _person(str(options["person"]), what=what)
            with tenant_scope(_tenant(str(options["tenant"]))):
                getattr(self, f"_{what}")(options, by)
        except (ListError, corpora.CorpusError, RuleFileError) as error:
            raise CommandError(str(error)) from error
        except PortalError as error:
            text = str(error)
            raise CommandError(error.message if text == error.code else text) from error

    def _import(self, options: dict[str, Any], by: User) -> None:
        found = read_list(options["file"], progress=_progress)
        self._report(found, options)
        rows = [*found.rules, *_rows(found, options, rulesets.open_draft() or rulesets.current_version())]
        rulesets.check_rules(rows, by=by)
        draft = rulesets.draft_of(by)
        for row in rows:
            entry = rulesets.save_rule(draft, row, by=by)
            self.stdout.write(f"{entry.code}: {len(entry.row.get('keywords', ()))} words in the draft")

    def _report(self, found: WordList, options: dict[str, Any]) -> None:
        words = found.all_words
        broad = broad_words(words, corpora.seed_corpus(), limit=options["broad"]) if words else []
        self._list(
            "appear twice and are taken once", [f"line {line}: {word}" for line, word in found.duplicates]
        )
        self._list("are found in ordinary texts", [f"{word}: {count} texts" for word, count in broad])
        self._list("have one letter", [f"line {line}: {word}" for line, word in found.short])
        if found.short and not options["force"]:
            raise CommandError(
                "Words of one letter stop nearly everything; nothing was imported. See --force."
            )

    def _list(self, what: str, lines: list[str]) -> None:
        if lines:
            self.stdout.write(f"{len(lines)} words {what}:")
            for line in lines[:SHOWN_LINES]:
                self.stdout.write(f"  {line}")

    def _export(self, options: dict[str, Any], by: User) -> None:
        require(by, POLICY_VIEW)
        number = options["number"]
        version = rulesets.current_version() if number is None else _numbered(number)
        for entry in rulesets.layer_of(version):
            self.stdout.write(json.dumps(entry.row, ensure_ascii=False))

    def _versions(self, options: dict[str, Any], by: User | None) -> None:
        for version in rulesets.versions():
            at = version.published_at or version.changed_at
            self.stdout.write(
                f"{version.label:<8}{version.status:<12}{at:%Y-%m-%d %H:%M}  {version.rules.count()} rules"
            )

    def _try(self, options: dict[str, Any], by: User) -> None:
        path = options["corpus"]
        figures = dry_run(_open(), by=by, corpus=None if path is None else list(corpora.read_corpus(path)))
        for name in ("current", "draft"):
            row = figures[name]
            self.stdout.write(
                f"{name:<8} {row['texts']} texts, recall {row['recall']:.1%}, precision {row['precision']:.1%},"
                f" false positives {row['false_positives']:.2%}"
            )

    def _submit(self, options: dict[str, Any], by: User) -> None:
        rulesets.submit(_open(), by=by, note=options["reason"])

    def _approve(self, options: dict[str, Any], by: User) -> None:
        rulesets.approve(_waiting(options), by=by, reason=options["reason"])

    def _publish(self, options: dict[str, Any], by: User) -> None:
        version = _waiting(options)
        rulesets.publish(version, by=by)
        self.stdout.write(f"{version.label} is in force")

    def _rollback(self, options: dict[str, Any], by: User) -> None:
        version = rulesets.rollback(_numbered(options["number"]), by=by, reason=options["reason"])
        done = version.status == Status.PUBLISHED
        self.stdout.write(
            f"{version.label} is in force"
            if done
            else "submitted: it weakens rules and needs approval; see approve --rollback"
        )

    def _evaluate(self, options: dict[str, Any]) -> None:
        rules = _rules(str(options["tenant"]))
        figures = corpora.measure(
            tqdm(list(corpora.read_corpus(options["corpus"])), disable=None, unit=" texts"),
            rules,
            at_least=options["at"],
        )
        self._print(figures)
        if options["check"] and not (
            figures.recall >= options["recall"]
            and figures.precision >= options["precision"]
            and figures.false_positives <= options["false_positives"]
        ):
            raise CommandError("a threshold was missed")

    def _print(self, figures: corpora.Figures) -> None:
        self.stdout.write(f"{'category':<24}{'texts':>8}{'caught':>8}{'recall':>9}{'precision':>11}")
        for name, count in sorted(figures.expected.items()):
            caught, precise = figures.caught[name], figures.precision_of(name)
            self.stdout.write(
                f"{name:<24}{count:>8}{caught:>8}{corpora.share(caught, count):>9.1%}{precise:>11.1%}"
            )
        self.stdout.write(f"{'benign texts':<24}{'texts':>8}{'caught':>8}{'false positives':>20}")
        for name, count in sorted(figures.benign.items()):
            self.stdout.write(
                f"{name:<24}{count:>8}{figures.alarms[name]:>8}{corpora.share(figures.alarms[name], count):>20.2%}"
            )
        self.stdout.write("expected -> decided by rules of")
        for (expected, decided), count in figures.confusion.most_common():
            self.stdout.write(f"  {expected or '(none)'} -> {decided}: {count}")
        self.stdout.write(
            f"recall {figures.recall:.1%}, precision {figures.precision:.1%},"
            f" false positives {figures.false_positives:.2%}"
        )


def _add(commands: Any, word: str, text: str) -> Any:
    parser = commands.add_parser(word, help=text)
    parser.add_argument("--tenant", required=True, metavar="CODE", help="the organisation")
    parser.add_argument(
        "--as",
        dest="person",
        default="",
        metavar="LOGIN",
        help="who acts: `organisation/login`; the password is asked for, or comes from ACCOUNT_PASSWORD",
    )
    return parser


def _add_import(commands: Any) -> None:
    parser = _add(commands, "import", "take a list of words, or exported rules, into the draft")
    parser.add_argument("file", type=Path, help="a .txt, .csv or .jsonl file in UTF-8")
    parser.add_argument(
        "--code", default="", help="the rule's code; made of the file's name where it is left out"
    )
    parser.add_argument("--title", default="", help="the rule's title; the file's name where it is left out")
    parser.add_argument("--category", default="", help="what kind of risk the words are about")
    parser.add_argument("--action", choices=ACTIONS, default="block", help="what happens to questions")
    parser.add_argument("--output", choices=("block", "redact", "flag", "none"), default="none",
                        help="what happens to answers")  # fmt: skip
    parser.add_argument(
        "--replace", action="store_true", help="put the words in the place of the rule's present ones"
    )
    parser.add_argument(
        "--broad", type=int, default=2, help="report words found in more benign texts than this"
    )
    parser.add_argument("--force", action="store_true", help="take words of one letter too")


def _add_evaluate(commands: Any) -> None:
    parser = commands.add_parser("evaluate", help="run a labelled corpus through the rules")
    parser.add_argument("corpus", type=Path, help="JSON lines with text, label, category and family")
    parser.add_argument("--tenant", default="", metavar="CODE", help="an organisation's rules; else the base")
    parser.add_argument(
        "--at", choices=tuple(STRENGTH)[1:], default="flag", help="the least action that counts"
    )
    parser.add_argument("--check", action="store_true", help="end with 1 where a threshold is missed")
    parser.add_argument("--recall", type=float, default=0.75)
    parser.add_argument("--precision", type=float, default=0.0)
    parser.add_argument("--false-positives", type=float, default=0.03)


def _person(handle: str, *, what: str) -> User | None:
    if handle:
        return ask_person(handle)
    if what in WITHOUT_PERSON:
        return None
    raise CommandError(f"`policy {what}` needs a person who signs for it: --as ORGANISATION/LOGIN")


def _tenant(code: str) -> Any:
    tenant_id = find_tenant_id(code)
    if tenant_id is None:
        raise CommandError(f"There is no organisation {code}.")
    return tenant_id


def _rules(code: str) -> RuleSet:
    return rule_sets().load(_tenant(code)) if code else base_rules()


def _open() -> RuleSetVersion:
    draft = rulesets.open_draft()
    if draft is None:
        raise CommandError("There is no draft.")
    return draft


def _waiting(options: dict[str, Any]) -> RuleSetVersion:
    if not options["rollback"]:
        return _open()
    found = rulesets.open_rollback()
    if found is None:
        raise CommandError("There is no rollback that waits.")
    return found


def _numbered(number: int) -> RuleSetVersion:
    found = next((version for version in rulesets.versions() if version.number == number), None)
    if found is None:
        raise CommandError(f"There is no version {number}.")
    return found


def _rows(found: WordList, options: dict[str, Any], base: RuleSetVersion | None) -> Iterable[dict[str, Any]]:
    """Yield a rule for each category of the list; words that a rule of this code has already come first."""
    path: Path = options["file"]
    known = {} if options["replace"] else {entry.code: entry for entry in rulesets.layer_of(base)}
    for place, (category, words) in enumerate(found.words.items()):
        code = (options["code"] or _code_of(path)) + (f"-{place + 1}" if place else "")
        before = known[code].row.get("keywords", []) if code in known else []
        row: dict[str, Any] = {
            "code": code,
            "title": {"en": options["title"] or path.stem},
            "category": category or options["category"],
            "keywords": list(dict.fromkeys([*before, *words])),
            "input": options["action"],
        }
        if options["output"] != "none":
            row["output"] = options["output"]
        yield row


def _code_of(path: Path) -> str:
    letters = re.sub(r"[^A-Z0-9]", "", path.stem.upper(), flags=re.ASCII)[:12]
    return f"LIST-{letters}" if letters else "LIST-1"


def _progress(rows: Iterable[tuple[int, dict[str, Any]]]) -> Iterable[tuple[int, dict[str, Any]]]:
    bar: Iterable[tuple[int, dict[str, Any]]] = tqdm(rows, disable=None, unit=" words")
    return bar
