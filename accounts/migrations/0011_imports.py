"""Keep imports of accounts, behind the wall."""

import uuid

import common.clock
import django.db.models.deletion
from django.db import migrations, models

from tenants.walls import wall_off


class Migration(migrations.Migration):
    dependencies = [("accounts", "0010_sessions")]

    operations = [
        migrations.CreateModel(
            name="AccountImport",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("by", models.UUIDField()),
                ("way", models.CharField(max_length=12)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("ready", "Checked, not begun"),
                            ("running", "Running"),
                            ("stopped", "Stopped"),
                            ("done", "Done"),
                        ],
                        default="ready",
                        max_length=8,
                    ),
                ),
                ("rows", models.JSONField()),
                ("total", models.PositiveIntegerField()),
                ("position", models.PositiveIntegerField(default=0)),
                ("created", models.PositiveIntegerField(default=0)),
                ("salt", models.CharField(max_length=64)),
                ("stop_requested", models.BooleanField(default=False)),
                ("made_at", models.DateTimeField(default=common.clock.now)),
                ("beat_at", models.DateTimeField(default=common.clock.now)),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="tenants.tenant"
                    ),
                ),
            ],
            options={
                "ordering": ("-made_at",),
                "abstract": False,
                "base_manager_name": "objects",
                "default_manager_name": "objects",
            },
        ),
        wall_off("accounts_accountimport"),
    ]
