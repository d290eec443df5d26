from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from policy import guards


def create(_: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    guards.create_guards(schema_editor.connection)


def drop(_: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    guards.drop_guards(schema_editor.connection)


class Migration(migrations.Migration):

    dependencies = [
        ("policy", "0001_initial"),
    ]

    operations = [
        migrations.RunPython(create, drop),
    ]
