"""Let the console list, search and invite people."""

import unicodedata

from django.db import migrations, models


def fill_search_keys(apps, schema_editor):
    User = apps.get_model("accounts", "User")
    for account in User.objects.only("login_name", "display_name").iterator():
        text = f"{account.login_name} {account.display_name}"
        key = unicodedata.normalize("NFKC", text).casefold().strip()
        User.objects.filter(pk=account.pk).update(search_key=key)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_session_epoch")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="department",
            field=models.CharField(blank=True, default="", max_length=80),
        ),
        migrations.AddField(
            model_name="user",
            name="search_key",
            field=models.TextField(default="", editable=False),
        ),
        migrations.AddField(
            model_name="user",
            name="invited_until",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.RunPython(fill_search_keys, migrations.RunPython.noop, elidable=True),
        migrations.AddIndex(
            model_name="user",
            index=models.Index(fields=["tenant", "login_name", "search_key"], name="account_search"),
        ),
        migrations.AddIndex(
            model_name="user",
            index=models.Index(fields=["tenant", "role", "login_name"], name="account_by_role"),
        ),
        migrations.AddIndex(
            model_name="user",
            index=models.Index(fields=["tenant", "is_active", "login_name"], name="account_by_state"),
        ),
    ]
