"""Messages to people, kept until they are sent."""

from __future__ import annotations

import django.db.models.deletion
import django.db.models.functions.datetime
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds a table with its triggers; locks nothing that is there but the rows that it refers to."""

    dependencies = [
        ('migration_runs', '0008_lessons'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Notification',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('turn', 'your turn'), ('sign_off', 'sign-off wanted'), ('phase_done', 'phase done'), ('check', 'check failed or missed'), ('hold', 'hold'), ('failed', 'failed'), ('rollback', 'rollback'), ('cleanup', 'cleanup unlocked'), ('completed', 'completed')], max_length=10)),
                ('phase', models.PositiveSmallIntegerField(blank=True, null=True)),
                ('channel', models.CharField(max_length=60)),
                ('dedup_key', models.CharField(max_length=200, unique=True)),
                ('subject', models.CharField(max_length=200)),
                ('body', models.TextField()),
                ('asks', models.BooleanField(default=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('sending', 'Sending'), ('sent', 'Sent'), ('unknown', 'Unknown'), ('gave_up', 'Gave Up')], default='waiting', max_length=7)),
                ('next_try_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('attempts', models.PositiveIntegerField(default=0)),
                ('give_up_after', models.PositiveIntegerField(default=10)),
                ('sending_until', models.DateTimeField(blank=True, null=True)),
                ('sent_again', models.BooleanField(default=False)),
                ('sent_at', models.DateTimeField(blank=True, null=True)),
                ('gave_up_at', models.DateTimeField(blank=True, null=True)),
                ('last_error', models.TextField(blank=True, default='')),
                ('person', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('run', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='notifications', to='migration_runs.run')),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(condition=models.Q(('state__in', ['waiting', 'sending'])), fields=['next_try_at'], name='notification_open'), models.Index(condition=models.Q(('state', 'sent'), _negated=True), fields=['state'], name='notification_unsent')],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='notification',
            trigger=pgtrigger.compiler.Trigger(name='fixed_columns', sql=pgtrigger.compiler.UpsertTriggerSql(execute="phasegate_guard_fixed('', 'id', 'run_id', 'kind', 'phase', 'channel', 'person_id', 'dedup_key', 'subject', 'body', 'asks', 'created_at')", func="RAISE EXCEPTION 'not used: the trigger executes a function of its own';", hash='4c8f0fef611588bad7432aad1dd5473a5485fd41', operation='UPDATE', pgid='pgtrigger_fixed_columns_4594b', table='migration_runs_notification', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='notification',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(execute='phasegate_guard_refuse()', func="RAISE EXCEPTION 'not used: the trigger executes a function of its own';", hash='40afa269f539c6c6e7100f6df02fc56aad412c0f', operation='DELETE', pgid='pgtrigger_no_delete_51ed7', table='migration_runs_notification', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='notification',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(execute='phasegate_guard_refuse()', func="RAISE EXCEPTION 'not used: the trigger executes a function of its own';", hash='c10cd7a00fc106038d6e5ca739e9a40bd6987f4b', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_120a3', table='migration_runs_notification', when='BEFORE')),
        ),
    ]
