"""Look after the audit log: `manage.py audit verify [--tenant CODE]`."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from tqdm import tqdm

from audit.guards import missing_guards
from audit.naming import chain_named, name_of
from audit.verification import Verification, chain_ids, chain_length, verify_chain


class Command(BaseCommand):
    """Verify every hash chain, or one; exit 1 where one is broken or the database's guards are gone."""

    help = (
        "Look after the audit log. verify: recompute every hash and name the first bad event of each chain."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("act", choices=["verify"])
        parser.add_argument(
            "--tenant", default="", help="code or id of one tenant, or 'platform'; default: all"
        )

    def handle(self, *_: Any, **options: Any) -> None:
        found = [self._verify(chain_id) for chain_id in self._chains(options["tenant"])]
        for verification in found:
            self.stdout.write(_line(verification))
        missing = missing_guards(connection)
        if missing:
            self.stdout.write(f"BROKEN    the database does not guard the log: {', '.join(missing)}")
        broken = [verification for verification in found if not verification.ok]
        if broken or missing:
            raise CommandError(f"{len(broken)} of {len(found)} chains broken, {len(missing)} guards missing")
        self.stdout.write(f"{len(found)} of {len(found)} chains verified")

    def _chains(self, tenant: str) -> list[UUID]:
        if not tenant:
            return chain_ids()
        chain_id = chain_named(tenant)
        if chain_id is None or chain_id not in chain_ids():
            raise CommandError("there is no tenant of that code or id")
        return [chain_id]

    def _verify(self, chain_id: UUID) -> Verification:
        with tqdm(
            total=chain_length(chain_id), desc=name_of(chain_id), unit=" events", leave=False, disable=None
        ) as bar:
            return verify_chain(chain_id, progress=bar.update)


def _line(verification: Verification) -> str:
    name = name_of(verification.tenant_id)
    if verification.ok:
        return f"whole     {name}  {verification.count} events"
    return (
        f"BROKEN    {name}  first bad event: {verification.first_bad_seq}  "
        f"reason: {verification.reason.value}  whole before it: {verification.count} events"
    )
