"""Mark the demo accounts whose password was accepted on loopback only."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="has_weak_password",
            field=models.BooleanField(default=False, editable=False),
        ),
    ]
