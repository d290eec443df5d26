"""Run against a database file of its own, in a process of its own: `python -m tests.crypto.probe write|key TENANT`."""

from __future__ import annotations

import sys
import uuid

import django
from django.core.management import call_command
from django.db import connection

CANARIES = {"body": "canary-heron-7b1f", "title": "canary-title-93aa", "changed": "canary-crane-55e0"}


def prepare() -> None:
    """Make the tables and the key file."""
    from crypto.services import create_local_keys
    from tests.crypto.models import Note

    call_command("migrate", "crypto", verbosity=0)
    create_local_keys()
    with connection.schema_editor() as editor:
        editor.create_model(Note)


def write(tenant_id: uuid.UUID) -> None:
    """Write the canaries in every way that the field allows, and leave the write-ahead log as it is."""
    from tests.crypto.models import Note

    prepare()
    first = Note.objects.create(
        tenant_id=tenant_id, body=CANARIES["body"], title=CANARIES["title"], plain="plain-marker"
    )
    first.body = CANARIES["changed"]
    first.save()
    Note.objects.bulk_create([Note(tenant_id=tenant_id, body=CANARIES["body"] * 50) for _ in range(20)])
    print(Note.objects.get(pk=first.pk).body, flush=True)  # noqa: T201 - the probe's answer
    sys.stdin.read()


def race(tenant_id: uuid.UUID) -> None:
    """Say that we are ready, wait for the starting shot, and say which key this process uses."""
    from crypto.keyring import keyring
    from crypto.models import DataKey, Usage

    DataKey.objects.exists()
    print("ready", flush=True)  # noqa: T201 - the probe's answer
    sys.stdin.readline()
    print(keyring.key_in_use(tenant_id, Usage.SEAL).key_id, flush=True)  # noqa: T201 - the probe's answer


def main(act: str, tenant_id: uuid.UUID) -> None:
    django.setup()
    if act == "write":
        write(tenant_id)
    elif act == "race":
        race(tenant_id)
    else:
        prepare()


if __name__ == "__main__":
    main(sys.argv[1], uuid.UUID(sys.argv[2]))
