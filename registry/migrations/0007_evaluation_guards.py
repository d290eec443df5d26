from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from registry import guards


def create(_: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    guards.create_guards(schema_editor.connection)


class Migration(migrations.Migration):

    dependencies = [
        ("registry", "0006_guards_again"),
    ]

    operations = [
        # Back, the table's triggers go with the table.
        migrations.RunPython(create, migrations.RunPython.noop),
    ]
