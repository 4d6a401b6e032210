from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def name_the_type(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    """Groups had one type, which their template named; it is now the one of their list."""
    for group in apps.get_model("pools", "NodeGroup").objects.all():
        kind = group.template.pop("instance_type", "")
        price = group.template.pop("on_demand_price", None)
        if kind:
            own = {"type": kind, "on_demand_price": price, "interruption_risk": None, "template": {}}
            group.instance_types = [own]
            group.save(update_fields=["template", "instance_types"])
    for machine in apps.get_model("pools", "Machine").objects.all():
        machine.instance_type = machine.template.get("instance_type", "")
        machine.save(update_fields=["instance_type"])


def back_into_the_template(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    """Of several types the first stays."""
    for group in apps.get_model("pools", "NodeGroup").objects.all():
        for own in group.instance_types[:1]:
            named = {"instance_type": own["type"], "on_demand_price": own["on_demand_price"]}
            group.template = {**group.template, **own["template"], **named}
            group.save(update_fields=["template"])


class Migration(migrations.Migration):
    dependencies = [("pools", "0017_requirements_of_pools")]

    operations = [
        migrations.AddField("nodegroup", "instance_types", models.JSONField(default=list)),
        migrations.AddField("nodegroup", "offers", models.JSONField(default=list)),
        migrations.AddField(
            "machine", "instance_type", models.CharField(blank=True, default="", max_length=64)
        ),
        migrations.RunPython(name_the_type, back_into_the_template),
    ]
