"""Read typed values from the environment and, below it, from one settings file.

The file holds `NAME=value` lines (`#` starts a comment line). The environment wins. A value that does not fit its type
stops the start-up with one line that names the setting, never its value: it may be a secret.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from django.core.exceptions import ImproperlyConfigured


def read_settings_file(path: Path) -> dict[str, str]:
    """Return the `NAME=value` pairs of a file; an absent file has none.

    Raises ImproperlyConfigured for an unreadable file, and, with the line number, where a line is neither a pair, a
    comment nor empty.
    """
    if not path.is_file():
        return {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise ImproperlyConfigured(f"{path} cannot be read as a text in UTF-8") from None
    pairs: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals or not name.strip().isidentifier():
            raise ImproperlyConfigured(f"{path}, line {number}: expected NAME=value")
        pairs[name.strip()] = value.strip().strip("\"'")
    return pairs


class Environment:
    """Give settings by name and type, from `environ` first and the settings file second."""

    def __init__(self, *, environ: Mapping[str, str] | None = None, file: Path | None = None) -> None:
        self._environ = os.environ if environ is None else environ
        self._file = read_settings_file(file) if file else {}
        self._asked: set[str] = set()

    def text(self, name: str, *, default: str = "") -> str:
        """Return the value as written; an empty one counts as not set."""
        self._asked.add(name)
        return self._environ.get(name, "").strip() or self._file.get(name, "") or default

    def origin(self, name: str) -> Literal["environment", "file", "default"]:
        """Return where the value of a setting was found."""
        if self._environ.get(name, "").strip():
            return "environment"
        return "file" if self._file.get(name, "") else "default"

    def secret(self, name: str) -> str:
        """Return a secret given as `NAME`, or as the content of the file named by `NAME_FILE`."""
        direct, path = self.text(name), self.text(f"{name}_FILE")
        if direct:
            return direct
        if not path:
            return ""
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ImproperlyConfigured(f"{name}_FILE cannot be read: {error.strerror}") from error
        except UnicodeDecodeError:
            raise ImproperlyConfigured(f"{name}_FILE is not a text in UTF-8") from None

    def choice(self, name: str, *, choices: Sequence[str], default: str) -> str:
        """Return one of `choices`."""
        value = self.text(name, default=default)
        if value not in choices:
            raise ImproperlyConfigured(f"{name} must be one of: {', '.join(choices)}")
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        """Return a yes or no."""
        return self.choice(name, choices=("on", "off"), default="on" if default else "off") == "on"

    def integer(self, name: str, *, default: int, low: int, high: int) -> int:
        """Return a whole number between `low` and `high`, both included."""
        text = self.text(name, default=str(default))
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise ImproperlyConfigured(f"{name} must be a whole number from {low} to {high}")
        return value

    def words(self, name: str, *, default: Sequence[str] = ()) -> tuple[str, ...]:
        """Return the comma-separated parts."""
        parts = [part.strip() for part in self.text(name).split(",")]
        return tuple(part for part in parts if part) or tuple(default)

    def path(self, name: str, *, default: Path) -> Path:
        """Return an absolute path."""
        return Path(self.text(name, default=str(default))).expanduser().resolve()

    def refuse_unknown(self, *, prefix: str, known: Sequence[str]) -> None:
        """Raise ImproperlyConfigured for names with this beginning that nobody asked for and that are not `known`."""
        given = {name for name in (*self._environ, *self._file) if name.startswith(prefix)}
        unknown = sorted(given - self._asked - set(known))
        if unknown:
            raise ImproperlyConfigured(
                f"{', '.join(unknown)}: no such setting; docs/settings.md lists them all"
            )
