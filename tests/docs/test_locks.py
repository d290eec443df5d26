"""Locked requirements that `make dev` installs together name one version of each package."""

from __future__ import annotations

import re
from collections import defaultdict

from tests.docs.reading import text_of

_PINNED = re.compile(r"^([a-z0-9._-]+)==(\S+)(?: ; (.+?))? \\$", re.MULTILINE)


def _installed_together() -> list[str]:
    """Return the files that the Makefile gives to the installer at once for development."""
    rule = re.search(r"^\$\(VENV\)/\.dev: (.+?) \|", text_of("Makefile"), re.MULTILINE)
    assert rule
    return rule.group(1).split()


def test_lock_files_that_are_installed_together_agree() -> None:
    """A package that two files name has the same version in both, under the same condition."""
    files = _installed_together()
    versions: dict[tuple[str, str], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for file in files:
        for name, version, condition in _PINNED.findall(text_of(file)):
            versions[name, condition][version].add(file)
    assert len(files) >= 3
    assert len(versions) > 50
    assert {name: dict(found) for name, found in versions.items() if len(found) > 1} == {}
