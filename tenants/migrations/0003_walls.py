"""Put the wall around the tables of tenants' data that there are so far; later ones bring theirs in their own app."""

from __future__ import annotations

from django.db import migrations

from tenants.walls import wall_off

TABLES = (
    "chat_conversation",
    "chat_message",
    "consent_consentnotice",
    "consent_consentrecord",
    "policy_rulesetdecision",
    "policy_rulesetversion",
    "policy_tenantrule",
    "registry_tenantmodelchoice",
)


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0002_engine_weight"),
        ("chat", "0001_initial"),
        ("consent", "0001_initial"),
        ("policy", "0002_guards"),
        ("registry", "0007_evaluation_guards"),
    ]

    operations = [wall_off(table) for table in TABLES]
