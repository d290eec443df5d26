"""Know of each session whether it began at an identity provider."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0011_imports")]

    operations = [
        migrations.AddField(
            model_name="portalsession", name="by_provider", field=models.BooleanField(default=False)
        ),
    ]
