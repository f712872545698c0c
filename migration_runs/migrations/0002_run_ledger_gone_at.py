"""When a sealed run's ledger left its target."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds a column that may stay empty: no rewrite of the table, no lock for longer than the catalog's."""

    dependencies = [("migration_runs", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="run",
            name="ledger_gone_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
    ]
