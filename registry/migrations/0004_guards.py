from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from registry import guards


def create(_: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    guards.create_guards(schema_editor.connection)


def drop(_: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    guards.drop_guards(schema_editor.connection)


class Migration(migrations.Migration):

    dependencies = [
        ("registry", "0003_earlier_artifacts"),
    ]

    operations = [
        migrations.AlterField(
            model_name="modelartifact",
            name="revision",
            field=models.PositiveIntegerField(editable=False, unique=True),
        ),
        migrations.RunPython(create, drop),
    ]
