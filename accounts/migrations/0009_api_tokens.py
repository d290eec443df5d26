"""Keep personal API tokens, behind the wall."""

import uuid

import common.clock
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from tenants.walls import wall_off


class Migration(migrations.Migration):
    dependencies = [("accounts", "0008_provider_sessions")]

    operations = [
        migrations.CreateModel(
            name="ApiToken",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=60)),
                ("lookup", models.CharField(editable=False, max_length=8)),
                ("digest", models.CharField(editable=False, max_length=64)),
                ("scopes", models.JSONField(default=list)),
                ("created_at", models.DateTimeField(default=common.clock.now, editable=False)),
                ("expires_at", models.DateTimeField()),
                ("last_used_on", models.DateField(editable=False, null=True)),
                ("revoked_at", models.DateTimeField(editable=False, null=True)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="tenants.tenant"
                    ),
                ),
            ],
            options={
                "ordering": ("-created_at",),
                "abstract": False,
                "base_manager_name": "objects",
                "default_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "lookup"), name="token_lookups_once")
                ],
            },
        ),
        wall_off("accounts_apitoken"),
    ]
