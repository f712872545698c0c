"""How a step came to where it is, and what a copy tells beside its rows."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds two columns, one with a constant default: no rewrite of the table."""

    dependencies = [("migration_runs", "0014_look_trouble")]

    operations = [
        migrations.AddField(
            model_name="steprun",
            name="points",
            field=models.JSONField(blank=True, default=list),
        ),
        migrations.AddField(
            model_name="steprun",
            name="figures",
            field=models.JSONField(blank=True, null=True),
        ),
    ]
