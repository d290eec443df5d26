"""Put into the reader's language what engines, workers and the kernel say: fixed English texts, some with a number."""

from __future__ import annotations

import re

from django.utils.translation import get_language, gettext, gettext_noop

from inference.engine import LOAD_ERRORS

_NUMBER = re.compile(r"\d+")
_WHILE_LOADING = " while it loaded the model"
# What workers, those who look after them, and the cage say, for the catalogue.
SPOKEN = (
    gettext_noop("the worker ended unexpectedly"),
    gettext_noop("the worker did not answer any more"),
    gettext_noop("the worker did not answer"),
    gettext_noop("the worker broke the protocol"),
    gettext_noop("the worker did not end a turn"),
    gettext_noop("the worker did not leave"),
    gettext_noop("the worker ended"),
    gettext_noop("the model could not be loaded"),
    gettext_noop("the model did not load in time"),
    gettext_noop("no process can be started"),
    gettext_noop("no model is active; see `manage.py model import`"),
    gettext_noop("the store cannot be used; see the log"),
    gettext_noop("the database's role is a superuser, whom no row-level security binds"),
    gettext_noop("the database's role has BYPASSRLS"),
    gettext_noop("version %(n)s"),
    gettext_noop("%(n)s calls allowed"),
    gettext_noop("%(n)s threads ran before it"),
    gettext_noop("not set"),
    gettext_noop("no answer"),
    gettext_noop("succeeded"),
)


def in_words(text: str) -> str:
    """Return a text of `inference` in the current language; what is not known there stays as it is."""
    if text.endswith(_WHILE_LOADING):
        return gettext("while the model was being loaded: %(reason)s") % {
            "reason": in_words(text.removesuffix(_WHILE_LOADING))
        }
    if text.partition(": ")[0] == LOAD_ERRORS["cage_incomplete"]:
        head, _colon, layers = text.partition(": ")
        return f"{gettext(head)}: {layers}"
    found, as_it_is = _NUMBER.search(text), gettext(text) if text else ""
    if found is None or as_it_is != text:
        return as_it_is
    template = f"{text[: found.start()]}%(n)s{text[found.end() :]}"
    known = gettext(template)
    return text if known == template else known.replace("%(n)s", found.group())


def or_in_general(text: str, general: str) -> str:
    """Return an English text to who reads English, and to others what it means in general, in their language."""
    # Empty, or None whatever the types say, where translations are switched off, as on the terminal.
    return text if (get_language() or "en").startswith("en") else general
