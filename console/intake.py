"""Write down how files come in: from the terminal, since a model never passes through a browser."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from django.utils.translation import gettext as _

from accounts.models import User
from registry.catalogue import DEFAULT_QWEN


@dataclass(frozen=True, slots=True)
class Command:
    """A command to copy, and what it does."""

    title: str
    text: str


def import_commands(operator: User) -> list[Command]:
    """Return the commands by which this operator imports an artefact."""
    who = f" --as {shlex.quote(operator.login_name)}"
    manage = ".venv/bin/python manage.py model"
    return [
        Command(
            _("A file with its detached signature"),
            f"{manage} import /media/usb/model.gguf --signature /media/usb/model.gguf.minisig{who}",
        ),
        Command(
            _("A published model, fetched and checked by its digest"),
            f"{manage} import {DEFAULT_QWEN}{who}",
        ),
        Command(_("Compare every stored file with its digest"), f"{manage} verify"),
    ]
