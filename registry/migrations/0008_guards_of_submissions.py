from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from registry import guards


def create(_: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Make the guards anew, with those for the submitter, the state of the signature and what was missed."""
    guards.create_guards(schema_editor.connection)


class Migration(migrations.Migration):

    dependencies = [
        ("registry", "0007_evaluation_guards"),
    ]

    operations = [
        migrations.RunPython(create, migrations.RunPython.noop),
    ]
