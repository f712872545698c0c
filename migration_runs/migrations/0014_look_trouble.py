"""Why a look at what was touched could not be made is kept, also while no full pass is open."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Creates a table with at most one row a run."""

    dependencies = [("migration_runs", "0013_audit_event_wrong")]

    operations = [
        migrations.CreateModel(
            name="LookTrouble",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("reason", models.TextField(blank=True, default="")),
                ("kept", models.TextField(blank=True, default="")),
                ("next_step", models.TextField(blank=True, default="")),
                ("since", models.DateTimeField(blank=True, null=True)),
                ("tried_at", models.DateTimeField(blank=True, null=True)),
                (
                    "run",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="look_trouble",
                        to="migration_runs.run",
                    ),
                ),
            ],
        ),
    ]
