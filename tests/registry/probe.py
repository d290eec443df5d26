"""Run against a database of its own, in a process of its own: `python -m tests.registry.probe`.

Brings artefacts of the first version up to date, leads a model through its life, then tries every forbidden statement.
Prints what it saw as JSON; the tests judge.
"""

from __future__ import annotations

import json
import tempfile
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import django
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction

OLD = ("a" * 64, "b" * 64, "c" * 64)


def main() -> None:
    django.setup()
    from crypto.services import create_local_keys

    call_command("migrate", "registry", "0001", verbosity=0)
    insert_earlier_artifacts()
    call_command("migrate", verbosity=0)
    create_local_keys()
    report: dict[str, Any] = {"vendor": connection.vendor, "earlier": earlier()}
    report["life"] = live()
    report["at_once"] = import_at_once()
    report["evaluation"] = evaluate()
    report["missing"] = missing()
    report["allowed"] = [name for name, statement in forbidden().items() if is_allowed(statement)]
    report["changes"] = is_allowed("UPDATE registry_modelartifact SET checked_at = checked_at")
    report["second"] = submitter_is_refused()
    print(json.dumps(report))  # noqa: T201 - the probe's answer


def insert_earlier_artifacts() -> None:
    """Write three artefacts as the first version did; the second one was activated last."""
    columns = (
        "id, sha256, size_bytes, name, architecture, quantisation, context_tokens, licence, source, is_starter,"
        " imported_at, activated_at"
    )
    rows = [
        (OLD[0], "2026-01-01 00:00:00+00:00", "2026-01-05 00:00:00+00:00"),
        (OLD[1], "2026-01-02 00:00:00+00:00", "2026-01-06 00:00:00+00:00"),
        (OLD[2], "2026-01-03 00:00:00+00:00", None),
    ]
    with connection.cursor() as cursor:
        for sha256, imported_at, activated_at in rows:
            key = uuid.uuid4()
            cursor.execute(
                f"INSERT INTO registry_modelartifact ({columns}) VALUES"
                " (%s, %s, 9, 'Heron', 'llama', 'Q4_0', 2048, '', 'a disk', %s, %s, %s)",
                [
                    key if connection.vendor == "postgresql" else key.hex,
                    sha256,
                    False,
                    imported_at,
                    activated_at,
                ],
            )


def earlier() -> list[list[Any]]:
    from registry.models import ModelArtifact

    rows = ModelArtifact.objects.order_by("revision")
    return [[row.revision, row.sha256[:1], row.status, row.approvals.count()] for row in rows]


def live() -> list[str]:
    """Lead a model through its life with two operators."""
    from accounts.services import create_account
    from registry import services
    from tests.registry.support import model_bytes

    one, two = (
        create_account(
            tenant=None,
            login=login,
            display_name=login,
            role="operator",
            password="a quiet heron by the river",
        )
        for login in ("tao", "hao")
    )
    file = Path(tempfile.mkdtemp()) / "heron.gguf"
    file.write_bytes(model_bytes())
    artifact = services.import_file(file, source="a disk", by=one)
    services.mark_evaluated(artifact, thresholds_missed=0, by=one)
    services.submit(artifact, by=one)
    services.approve(artifact, by=two)
    services.activate(artifact, by=one)
    file.write_bytes(model_bytes(b"second"))
    waiting = services.import_file(file, source="a disk", by=one)
    services.mark_evaluated(waiting, thresholds_missed=0, by=one)
    services.submit(waiting, by=one)
    return [artifact.status, waiting.status, *(row.kind for row in services.timeline(artifact=artifact))]


def import_at_once() -> list[int]:
    """Import four different files and one of them twice, all at once; return how many numbers came of it, and rows."""
    from django.db import connections

    from registry import services
    from registry.models import ModelArtifact
    from tests.registry.support import model_bytes

    folder, before = Path(tempfile.mkdtemp()), ModelArtifact.objects.count()
    for n in range(4):
        (folder / f"{n}.gguf").write_bytes(model_bytes(b"%d;" % n))

    def take(n: int) -> int:
        try:
            return services.import_file(folder / f"{n % 4}.gguf", source="a disk").revision
        finally:
            connections.close_all()

    with ThreadPoolExecutor(5) as crowd:
        numbers = list(crowd.map(take, range(5)))
    return [len(set(numbers)), ModelArtifact.objects.count() - before]


def evaluate() -> list[Any]:
    """Stop an evaluation after three verdicts, go on with it, compare it with itself and watch the model."""
    from registry.comparing import compare, latest_evaluation
    from registry.evaluating import Brake
    from registry.evaluation import Plan
    from registry.models import ModelArtifact
    from registry.watching import watch
    from tests.registry.evaluations import Notes, fast, run, write_corpora

    artifact = ModelArtifact.objects.get(status="submitted")
    plan, brake = Plan(folder=write_corpora(Path(tempfile.mkdtemp()) / "corpora")), Brake()
    stopped = run(
        artifact,
        plan,
        config=fast(),
        brake=brake,
        notes=Notes(act=lambda count: brake.pull() if count == 3 else None),
    )
    halfway = [stopped.state, stopped.verdicts.count()]
    whole = run(artifact, plan, config=fast())
    same = latest_evaluation(artifact) == whole and bool(compare(artifact, artifact))
    turns = watch(artifact, tenant_id=None).recent.turns
    return [*halfway, whole.pk == stopped.pk, whole.state, whole.verdicts.count(), same, turns]


def missing() -> list[str]:
    from registry.guards import missing_guards

    return missing_guards(connection)


def forbidden() -> dict[str, str]:
    """Return statements that the database itself must refuse, each of which names a row that is there."""
    artifacts = "registry_modelartifact"
    statements = {
        f"change {column}": f"UPDATE {artifacts} SET {column} = {value}"
        for column, value in {
            "sha256": "'x'",
            "size_bytes": "1",
            "chat_template": "'x'",
            "imported_by": "NULL",
            "source": "'x'",
            "revision": "revision + 100",
        }.items()
    }
    statements |= {
        "activate what waits": f"UPDATE {artifacts} SET status = 'active' WHERE status = 'submitted'",
        "approve what waits": f"UPDATE {artifacts} SET status = 'approved' WHERE status = 'submitted'",
        "sign what was submitted": f"UPDATE {artifacts} SET signature = 'x' WHERE status = 'submitted'",
        "submit for another": f"UPDATE {artifacts} SET submitted_by = NULL WHERE status = 'active'",
        "submit at another time": f"UPDATE {artifacts} SET submitted_at = imported_at WHERE status = 'active'",
        "make a signature up": f"UPDATE {artifacts} SET signature_state = 'valid' WHERE status = 'submitted'",
        "miss nothing": f"UPDATE {artifacts} SET thresholds_missed = 9 WHERE status = 'active'",
        "go back": f"UPDATE {artifacts} SET status = 'imported' WHERE status = 'submitted'",
        "delete an artefact": f"DELETE FROM {artifacts} WHERE status = 'submitted'",
        "change a decision": "UPDATE registry_modelapproval SET decision = 'reject'",
        "delete a decision": "DELETE FROM registry_modelapproval",
        "change an evaluation": "UPDATE registry_modelevaluation SET done = 0",
        "delete an evaluation": "DELETE FROM registry_modelevaluation",
        "change a figure": "UPDATE registry_evaluationresult SET value = 1",
        "delete a figure": "DELETE FROM registry_evaluationresult",
        "change a verdict": "UPDATE registry_itemverdict SET passed = true",
        "delete a verdict": "DELETE FROM registry_itemverdict",
        "change an event": "UPDATE registry_modelevent SET reason = 'x'",
        "delete an event": "DELETE FROM registry_modelevent",
    }
    return statements


def submitter_is_refused() -> str:
    from registry.models import ModelApproval, ModelArtifact

    waiting = ModelArtifact.objects.get(status="submitted")
    try:
        with transaction.atomic():
            ModelApproval(artifact=waiting, account_id=waiting.submitted_by, decision="approve").save()
    except DatabaseError as error:
        return str(error).split("\n", maxsplit=1)[0]
    return "allowed"


def is_allowed(statement: str) -> bool:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
            assert cursor.rowcount > 0, statement
    except DatabaseError:
        return False
    return True


if __name__ == "__main__":
    main()
