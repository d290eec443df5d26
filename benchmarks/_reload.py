"""Time what a publication costs the servers: a sealed list in the database becomes rules that act.

Run by `benchmarks/policy.py` in a process of its own, after the portal's settings were read, with a folder of its own.
"""

from __future__ import annotations

import secrets
import sys
import time

from django.core.management import call_command

from accounts.models import User
from accounts.services import create_account
from benchmarks._evasions import keywords
from console.opening import open_tenant
from crypto.services import create_local_keys
from policy import rulesets
from policy.engine import evaluate
from policy.serving import RuleSets
from tenants.scope import tenant_scope


def main(count: int) -> None:
    """Publish twice, so that a server has something to reload, and print three numbers of seconds.

    They are what publishing takes, what a server takes to have the new rules instead of others, and what one takes that
    has just started.
    """
    call_command("migrate", verbosity=0)
    create_local_keys()
    tenant = open_tenant(code="bench", name="Bench")
    officer = create_account(
        tenant=tenant, login="officer", display_name="Officer", role="officer", password=secrets.token_hex(12)
    )
    words = keywords(count)
    server = RuleSets()
    with tenant_scope(tenant.id):
        _publish(officer, words[:10])
        server.load(tenant.id)
        began = time.perf_counter()
        _publish(officer, words)
        published = time.perf_counter()
        rules = server.load(tenant.id)
        reloaded = time.perf_counter()
        assert evaluate(f"see {words[-1]} here", rules).rule is not None
        fresh = RuleSets().load(tenant.id)
        started = time.perf_counter()
        assert fresh.version == rules.version
    sys.stdout.write(f"{published - began} {reloaded - published} {started - reloaded}\n")


def _publish(officer: User, words: list[str]) -> None:
    row = {
        "code": "BENCH",
        "title": {"en": "Benchmark"},
        "keywords": words,
        "input": "block",
        "output": "redact",
    }
    draft = rulesets.draft_of(officer)
    rulesets.save_rule(draft, row, by=officer)
    rulesets.note_dry_run(draft, {}, by=officer)
    rulesets.submit(draft, by=officer)
    rulesets.approve(draft, by=officer, reason="the only officer")
    rulesets.publish(draft, by=officer)
