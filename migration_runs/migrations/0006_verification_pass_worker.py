"""Who compares a pass, since when, and what to do when it cannot go on."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds columns with constant defaults to a small table: ACCESS EXCLUSIVE on it for a moment."""

    dependencies = [("migration_runs", "0005_fleet_pulse")]

    operations = [
        migrations.AddField(
            model_name="verificationpass",
            name="worker",
            field=models.CharField(blank=True, default="", max_length=200),
        ),
        migrations.AddField(
            model_name="verificationpass",
            name="taken_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="verificationpass",
            name="rows_before",
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="verificationpass",
            name="kept",
            field=models.TextField(blank=True, default=""),
        ),
        migrations.AddField(
            model_name="verificationpass",
            name="next_step",
            field=models.TextField(blank=True, default=""),
        ),
    ]
