from django.apps.registry import Apps
from django.conf import settings
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from registry.catalogue import KNOWN_MODELS, STARTER

KEYS = {model.sha256: model.key for model in (STARTER, *KNOWN_MODELS.values())}


def number(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    """Number earlier artefacts; on the embedded default the one in use stays so, under a waiver that says why.

    In production it needs an approval first: nobody but the person at the terminal stood for it.
    """
    artifacts = apps.get_model("registry", "ModelArtifact")
    for revision, row in enumerate(artifacts.objects.order_by("imported_at"), start=1):
        row.revision, row.catalogue_key = revision, KEYS.get(row.sha256, "")
        row.save()
    last = artifacts.objects.filter(activated_at__isnull=False).order_by("-activated_at").first()
    if last is None or settings.PORTAL.mode == "production":
        artifacts.objects.update(activated_at=None)
        return
    artifacts.objects.exclude(pk=last.pk).update(activated_at=None)
    reason = "in use before models had a life cycle"
    apps.get_model("registry", "ModelApproval").objects.create(artifact=last, decision="waive", reason=reason)
    apps.get_model("registry", "ModelEvent").objects.create(artifact=last, kind="waive", reason=reason)
    last.status = "active"
    last.save()


class Migration(migrations.Migration):

    dependencies = [
        ("registry", "0002_life_cycle"),
    ]

    operations = [
        migrations.RunPython(number, migrations.RunPython.noop),
    ]
