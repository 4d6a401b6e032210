from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def take_the_groups(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    """As far as anybody knows, machines that are there were made of their group's template."""
    for machine in apps.get_model("pools", "Machine").objects.exclude(group=None).select_related("group"):
        machine.template = machine.group.template
        machine.save(update_fields=["template"])


class Migration(migrations.Migration):
    dependencies = [("pools", "0015_node_groups")]

    operations = [
        migrations.AddField(model_name="machine", name="template", field=models.JSONField(default=dict)),
        migrations.RunPython(take_the_groups, migrations.RunPython.noop),
    ]
