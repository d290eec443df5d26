"""Check what no linter knows: migrations are complete, and the settings of a production portal are sound.

Run as `python -m tests.lint`; `make lint` does.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys

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


def main() -> int:
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
