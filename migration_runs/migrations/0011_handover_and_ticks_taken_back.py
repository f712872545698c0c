"""Shift handovers with their notes; a tick of the checklist can be taken back, and stays on record."""

from __future__ import annotations

import django.db.models.deletion
import django.utils.timezone
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """New tables; columns with constant defaults, a constraint and a trigger on the small table of ticks."""

    dependencies = [
        ('migration_runs', '0010_trail_reading'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='HandoverCard',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('starts_at', models.DateTimeField(blank=True, null=True)),
                ('ends_at', models.DateTimeField(blank=True, null=True)),
                ('facts', models.JSONField(default=list)),
                ('given_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('taken_at', models.DateTimeField(blank=True, null=True)),
                ('withdrawn_at', models.DateTimeField(blank=True, null=True)),
                ('withdraw_reason', models.TextField(blank=True, default='')),
            ],
            options={
                'ordering': ['run_id', 'number'],
            },
        ),
        migrations.CreateModel(
            name='HandoverNote',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
                ('text', models.TextField()),
            ],
            options={
                'ordering': ['run_id', 'id'],
            },
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name='readinesstick',
            name='append_only',
        ),
        migrations.RemoveConstraint(
            model_name='readinesstick',
            name='ticked_once',
        ),
        migrations.AddField(
            model_name='readinesstick',
            name='void_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='readinesstick',
            name='void_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='readinesstick',
            name='void_reason',
            field=models.TextField(blank=True, default=''),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='readinesstick',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(execute="phasegate_guard_append_only('void_at', 'void_by_id', 'void_reason')", func="RAISE EXCEPTION 'not used: the trigger executes a function of its own';", hash='3e9ba1f9a97cc53a10e565f48071614e4664df56', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_8d8fb', table='migration_runs_readinesstick', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='readinesstick',
            constraint=models.UniqueConstraint(condition=models.Q(('void_at', None)), fields=('run', 'item'), name='ticked_once'),
        ),
        migrations.AddField(
            model_name='handovercard',
            name='giver',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='handovercard',
            name='run',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='handovers', to='migration_runs.run'),
        ),
        migrations.AddField(
            model_name='handovercard',
            name='taker',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='handovercard',
            name='withdrawn_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='handovernote',
            name='person',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='handovernote',
            name='run',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='handover_notes', to='migration_runs.run'),
        ),
        migrations.AddConstraint(
            model_name='handovercard',
            constraint=models.UniqueConstraint(fields=('run', 'number'), name='one_row_per_handover'),
        ),
        migrations.AddConstraint(
            model_name='handovercard',
            constraint=models.UniqueConstraint(condition=models.Q(('taken_at', None), ('withdrawn_at', None)), fields=('run',), name='one_open_handover_per_run'),
        ),
        migrations.AddConstraint(
            model_name='handovercard',
            constraint=models.CheckConstraint(condition=models.Q(('taken_at', None), ('withdrawn_at', None), _connector='OR'), name='handover_taken_or_withdrawn'),
        ),
        migrations.AddConstraint(
            model_name='handovercard',
            constraint=models.CheckConstraint(condition=models.Q(('giver', models.F('taker')), _negated=True), name='handover_to_somebody_else'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='handovercard',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(execute="phasegate_guard_append_only('taken_at', 'withdrawn_at', 'withdrawn_by_id', 'withdraw_reason')", func="RAISE EXCEPTION 'not used: the trigger executes a function of its own';", hash='bcf803bd58aeb7e4df339610f1d162764ee2ae8b', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_1b47b', table='migration_runs_handovercard', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='handovercard',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(execute='phasegate_guard_refuse()', func="RAISE EXCEPTION 'not used: the trigger executes a function of its own';", hash='3d7d78c183f83158d45d861d0393d88c7c942846', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_2206c', table='migration_runs_handovercard', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='handovernote',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(execute='phasegate_guard_append_only()', func="RAISE EXCEPTION 'not used: the trigger executes a function of its own';", hash='317595c90199e6a85300914dcc97ba91ac93cf72', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_473c2', table='migration_runs_handovernote', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='handovernote',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(execute='phasegate_guard_refuse()', func="RAISE EXCEPTION 'not used: the trigger executes a function of its own';", hash='4975843266fdc899723bc2c2e5081a8d295a72fd', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_d7395', table='migration_runs_handovernote', when='BEFORE')),
        ),
    ]
