"""Check what no linter knows: migrations are complete, a production portal's settings are sound, nothing is too long.

Run as `python -m tests.lint`; `make lint` does.
"""

from __future__ import annotations

import ast
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests import environment

PRODUCTION = {
    "PORTAL_MODE": "production",
    "PORTAL_ORIGINS": "https://portal.example",
    "PORTAL_SECRET_KEY": secrets.token_urlsafe(64),
}
COMMANDS: list[tuple[list[str], dict[str, str]]] = [
    (["makemigrations", "--check", "--dry-run"], {}),
    (["check", "--fail-level", "WARNING"], {}),
    (["check", "--deploy", "--fail-level", "WARNING"], PRODUCTION),
]
REPOSITORY = Path(__file__).resolve().parent.parent
# What people write and read; catalogues and locked requirements are made by tools.
WRITTEN = {".css", ".html", ".js", ".md", ".py", ".sh", ".toml"}
MAX_FILE_LINES, MAX_FUNCTION_LINES = 400, 50
# Ways around the tenant scope, and the files that may take one, each for its reason.
AROUND_SCOPE = {
    "raw", "_base_manager", "_raw_delete", "extra", "save_base", "RawSQL", "_do_insert", "_do_update",
}  # fmt: skip
# Named, not only called: a manager or query of Django's own knows no scope.
BARE = {"Manager", "QuerySet", "RawQuerySet", "RawSQL", "Collector", "Query"}
CURSORS = {"cursor", "chunked_cursor", "executescript"}
MAY_USE_CURSORS = {
    "audit/guards.py",  # triggers
    "common/triggers.py",  # triggers of the other guards
    "qwenportal/views.py",  # /readyz asks for 1
    "tenants/postgres/base.py",  # tells PostgreSQL the scope
    "tenants/walls.py",  # looks at the catalogue
}
MAY_GO_AROUND = {"tenants/managers.py"}  # the guard itself


def main() -> int:
    """Measure the files, run each command under the tests' settings, and return 1 if anything fails."""
    overlong = [line for path in written_files() for line in (*too_long(path), *around_scope(path))]
    print(*overlong, sep="\n", end="\n" if overlong else "")  # noqa: T201 (a command's output)
    return 1 if run_commands() or overlong else 0


def written_files() -> list[Path]:
    """Return the repository's own files, those not yet committed included, migrations left out."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    paths = [REPOSITORY / name for name in listed.split("\0") if name]
    return [
        path
        for path in paths
        if path.suffix in WRITTEN and path.parent.name != "migrations" and path.is_file()
    ]


def too_long(path: Path) -> Iterator[str]:
    """Say which bounds of length a file breaks: its own, and that of each of its functions."""
    text = path.read_text(encoding="utf-8")
    if (lines := len(text.splitlines())) > MAX_FILE_LINES:
        yield f"{path}: {lines} lines; a file has at most {MAX_FILE_LINES}"
    for node in ast.walk(ast.parse(text)) if path.suffix == ".py" else ():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            lines = node.end_lineno - node.lineno + 1
            if lines > MAX_FUNCTION_LINES:
                yield f"{path}:{node.lineno}: {node.name} has {lines} lines; at most {MAX_FUNCTION_LINES}"


def around_scope(path: Path) -> Iterator[str]:
    """Say where a file of the portal reaches the database past the tenant scope."""
    name = path.relative_to(REPOSITORY).as_posix()
    if path.suffix != ".py" or name.startswith(("tests/", "benchmarks/", "deploy/", "inference/")):
        return
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    called = {node.func for node in nodes if isinstance(node, ast.Call)}
    for node in nodes:
        if isinstance(node, ast.Attribute) and (node in called or node.attr == "_base_manager"):
            if _goes_around(node, name):
                yield f"{name}:{node.lineno}: {node.attr} goes around the tenant scope; see tests/lint.py"
            elif name not in MAY_GO_AROUND and _is_bare(node):
                yield f"{name}:{node.lineno}: a manager or query set without the tenant scope; see tests/lint.py"
        elif isinstance(node, ast.Name) and node in called and node.id in BARE and name not in MAY_GO_AROUND:
            yield f"{name}:{node.lineno}: a manager or query without the tenant scope; see tests/lint.py"


def _goes_around(node: ast.Attribute, name: str) -> bool:
    if node.attr in CURSORS:
        return name not in MAY_USE_CURSORS
    if node.attr == "using":
        return isinstance(node.value, ast.Attribute) and node.value.attr == "objects"
    return node.attr in AROUND_SCOPE and name not in MAY_GO_AROUND


def _is_bare(called: ast.Attribute) -> bool:
    """Tell `models.Manager()` and the like from subclasses, which say in their own place what they do.

    `models.Model.save(row)` is Django's own save, past the one that looks at the tenant.
    """
    if isinstance(called.value, ast.Attribute):
        return called.attr in {"save", "delete"} and called.value.attr == "Model"
    return (
        called.attr in BARE
        and isinstance(called.value, ast.Name)
        and called.value.id in {"models", "sql", "query"}
    )


def run_commands() -> int:
    """Run each command under the tests' settings and return 1 if one fails."""
    environment.prepare()
    failed = 0
    for arguments, settings in COMMANDS:
        command = [sys.executable, "manage.py", *arguments]
        result = subprocess.run(
            command, env=os.environ | settings, capture_output=True, text=True, check=False
        )
        if result.returncode:
            print(" ".join(arguments), result.stdout, result.stderr, sep="\n")  # noqa: T201 (a command's output)
            failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
