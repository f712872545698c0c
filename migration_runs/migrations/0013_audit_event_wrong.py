"""What went wrong is found without reading the whole trail."""

from __future__ import annotations

from django.db import migrations, models

WRONG = (
    "phase.fail",
    "phase.fail_undo",
    "check.fail",
    "check.missed",
    "run.hold",
    "sign_off.void",
    "sign_off.refuse",
    "run.roll_back",
)


class Migration(migrations.Migration):
    """Adds a partial index: SHARE on the trail while it is built, so that events wait; seconds per million."""

    dependencies = [("migration_runs", "0012_second_number_of_a_check")]

    operations = [
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(
                fields=["-seq"], condition=models.Q(action__in=WRONG), name="audit_event_wrong"
            ),
        ),
    ]
