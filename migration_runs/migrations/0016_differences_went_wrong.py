"""The first report of differences counts among what went wrong."""

from __future__ import annotations

from django.db import migrations, models

WRONG = (
    "phase.fail",
    "phase.fail_undo",
    "check.fail",
    "check.missed",
    "verification.fail",
    "run.hold",
    "sign_off.void",
    "sign_off.refuse",
    "run.roll_back",
)


class Migration(migrations.Migration):
    """Builds the partial index anew: SHARE on the trail meanwhile, so that events wait; seconds per million."""

    dependencies = [("migration_runs", "0015_pace_of_a_step")]

    operations = [
        migrations.RemoveIndex(model_name="auditevent", name="audit_event_wrong"),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(
                fields=["-seq"], condition=models.Q(action__in=WRONG), name="audit_event_wrong"
            ),
        ),
    ]
