"""Name what can go wrong between the portal and a directory. None of it says anything about a person's password."""

from __future__ import annotations

from typing import Literal

Fault = Literal[
    "not_installed",
    "unreachable",
    "no_answer",
    "busy",
    "tls",
    "reader_refused",
    "no_such_base",
    "nobody",
    "refused",
]


class DirectoryUnavailable(Exception):
    """The directory gave no verdict: it is down, hangs, or refuses what the portal is configured to do."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault)
        self.fault: Fault = fault


class WrongPassword(Exception):
    """The directory gave its verdict: there is no such person, or the password is not theirs."""
