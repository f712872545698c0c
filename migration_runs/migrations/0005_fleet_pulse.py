"""When a worker last looked for work."""

from __future__ import annotations

import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds a table of one row; locks nothing that is there."""

    dependencies = [("migration_runs", "0004_verification_buckets")]

    operations = [
        migrations.CreateModel(
            name="FleetPulse",
            fields=[
                ("id", models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="one_fleet_pulse")
                ],
            },
        ),
    ]
