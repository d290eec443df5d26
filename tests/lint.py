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


def main() -> int:
    """Measure the files, run each command under the tests' settings, and return 1 if anything fails."""
    overlong = [line for path in written_files() for line in too_long(path)]
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
