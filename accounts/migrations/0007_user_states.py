"""Find the few disabled and invited accounts without reading all the others."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0006_passwords_and_rules")]

    operations = [
        migrations.RemoveIndex(model_name="user", name="account_by_state"),
        migrations.AddIndex(
            model_name="user",
            index=models.Index(
                condition=models.Q(("is_active", False)), fields=["tenant", "login_name"], name="account_disabled"
            ),
        ),
        migrations.AddIndex(
            model_name="user",
            index=models.Index(
                condition=models.Q(("invited_until__isnull", False)),
                fields=["tenant", "login_name"],
                name="account_invited",
            ),
        ),
    ]
