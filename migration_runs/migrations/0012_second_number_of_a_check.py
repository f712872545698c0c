"""A second number of a check's query, to be charted."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds a column that may stay empty: no rewrite of the table, no lock for longer than the catalog's."""

    dependencies = [("migration_runs", "0011_handover_and_ticks_taken_back")]

    operations = [
        migrations.AddField(
            model_name="duecheck",
            name="shown",
            field=models.FloatField(blank=True, null=True),
        ),
    ]
