"""Write down how files come in: from the terminal, since a model never passes through a browser."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _


@dataclass(frozen=True, slots=True)
class Command:
    """A command to copy, and what it does."""

    title: str
    text: str


def import_commands() -> list[Command]:
    """Return the commands that import an artefact."""
    manage = ".venv/bin/python manage.py model"
    return [
        Command(
            _("A file with its detached signature"),
            f"{manage} import /media/usb/model.gguf --signature /media/usb/model.gguf.minisig",
        ),
        Command(
            _("A published model, fetched and checked by its digest"),
            f"{manage} import qwen2.5-0.5b-instruct-q4_k_m",
        ),
        Command(_("Compare every stored file with its digest"), f"{manage} verify"),
    ]
