"""What a target was found to be belongs to each signature and each phase; the run never held it."""

from __future__ import annotations

from django.db import migrations


class Migration(migrations.Migration):
    """Drops two columns that nothing wrote or read: ACCESS EXCLUSIVE on the table of runs for a moment."""

    dependencies = [("migration_runs", "0006_verification_pass_worker")]

    operations = [
        migrations.RemoveField(model_name="run", name="target_identity"),
        migrations.RemoveField(model_name="run", name="schema_digest"),
    ]
