"""Keep sessions sealed in a table of our own; sign-in rules are system parameters now. Everybody signs in anew."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import common.clock


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0009_api_tokens"),
        ("sessions", "0001_initial"),
    ]

    operations = [
        migrations.DeleteModel(name="SignInRules"),
        migrations.CreateModel(
            name="PortalSession",
            fields=[
                ("digest", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("sealed", models.TextField()),
                ("opened_at", models.DateTimeField(default=common.clock.now)),
                ("seen_at", models.DateTimeField(default=common.clock.now)),
                ("expires_at", models.DateTimeField(db_index=True)),
                ("device", models.CharField(blank=True, max_length=60)),
                ("address", models.CharField(blank=True, max_length=45)),
                (
                    "account",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.RunSQL("DELETE FROM django_session", migrations.RunSQL.noop),
    ]
