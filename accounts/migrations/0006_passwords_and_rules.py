"""Temporary passwords, and what organisations ask of their people when they sign in."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0005_identity_providers"), ("tenants", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="must_change_password",
            field=models.BooleanField(default=False, editable=False),
        ),
        migrations.AddField(
            model_name="user",
            name="temporary_until",
            field=models.DateTimeField(null=True, editable=False),
        ),
        migrations.AddField(
            model_name="user",
            name="has_second_factor",
            field=models.BooleanField(default=False, editable=False),
        ),
        migrations.CreateModel(
            name="SignInRules",
            fields=[
                (
                    "tenant",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="sign_in_rules",
                        serialize=False,
                        to="tenants.tenant",
                    ),
                ),
                ("password_length", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("second_factor_roles", models.JSONField(blank=True, default=list)),
                ("second_factor_after_sso", models.BooleanField(default=False)),
                ("idle_minutes", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("session_hours", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("sessions_per_person", models.PositiveSmallIntegerField(blank=True, null=True)),
            ],
        ),
    ]
