"""The live verification bucket by bucket: passes, buckets, and what reports say besides."""

from __future__ import annotations

import django.db.models.deletion
import django.utils.timezone
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models


class Migration(migrations.Migration):
    """New tables, and columns with defaults on the reports: no rewrite, no lock beyond the catalog's."""

    dependencies = [
        ('migration_runs', '0003_adjusting_the_copy'),
    ]

    operations = [
        migrations.CreateModel(
            name='VerificationBucket',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('lo', models.TextField(blank=True, default='')),
                ('hi', models.TextField(blank=True, default='')),
                ('rows', models.BigIntegerField(blank=True, null=True)),
                ('seconds', models.FloatField(default=0.0)),
                ('seen_at', models.DateTimeField(blank=True, null=True)),
                ('clean', models.BooleanField(blank=True, null=True)),
                ('found', models.JSONField(default=dict)),
                ('digest', models.TextField(blank=True, default='')),
                ('digest_rows', models.BigIntegerField(blank=True, null=True)),
                ('digest_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ['run_id', 'id'],
            },
        ),
        migrations.CreateModel(
            name='VerificationPass',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('digests', models.BooleanField(default=False)),
                ('started_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('seen_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('buckets_done', models.PositiveIntegerField(default=0)),
                ('rows_done', models.BigIntegerField(default=0)),
                ('rows_expected', models.BigIntegerField(default=0)),
                ('seconds', models.FloatField(default=0.0)),
                ('trouble', models.TextField(blank=True, default='')),
            ],
            options={
                'ordering': ['run_id', 'number'],
            },
        ),
        migrations.AddField(
            model_name='verificationreport',
            name='buckets',
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='verificationreport',
            name='digests',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='verificationreport',
            name='kind',
            field=models.CharField(choices=[('full', 'Full'), ('touched', 'Touched')], default='full', max_length=7),
        ),
        migrations.AddField(
            model_name='verificationreport',
            name='number',
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='verificationreport',
            name='overdue',
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='verificationreport',
            name='pending_s',
            field=models.FloatField(default=0.0),
        ),
        migrations.AddField(
            model_name='verificationreport',
            name='rules',
            field=models.JSONField(default=list),
        ),
        migrations.AddField(
            model_name='verificationreport',
            name='started_at',
            field=models.DateTimeField(default=django.utils.timezone.now),
        ),
        migrations.AddField(
            model_name='verificationreport',
            name='tail',
            field=models.TextField(blank=True, default=''),
        ),
        migrations.AddField(
            model_name='verificationreport',
            name='vanished',
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddIndex(
            model_name='verificationreport',
            index=models.Index(fields=['run', 'kind', '-id'], name='verification_latest_of_kind'),
        ),
        migrations.AddField(
            model_name='verificationbucket',
            name='run',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='verification_buckets', to='migration_runs.run'),
        ),
        migrations.AddField(
            model_name='verificationpass',
            name='run',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='verification_passes', to='migration_runs.run'),
        ),
        migrations.AddField(
            model_name='verificationbucket',
            name='seen_in',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='buckets', to='migration_runs.verificationpass'),
        ),
        migrations.AddConstraint(
            model_name='verificationpass',
            constraint=models.UniqueConstraint(fields=('run', 'number'), name='one_verification_pass_per_number'),
        ),
        migrations.AddConstraint(
            model_name='verificationpass',
            constraint=models.UniqueConstraint(condition=models.Q(('finished_at', None)), fields=('run',), name='one_open_verification_pass'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='verificationpass',
            trigger=pgtrigger.compiler.Trigger(name='fixed_columns', sql=pgtrigger.compiler.UpsertTriggerSql(execute="phasegate_guard_fixed('', 'id', 'run_id', 'number', 'digests', 'started_at')", func="RAISE EXCEPTION 'not used: the trigger executes a function of its own';", hash='841d9f41159fc7b331dcc14431f8261b313a55a0', operation='UPDATE', pgid='pgtrigger_fixed_columns_9e320', table='migration_runs_verificationpass', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='verificationpass',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(execute='phasegate_guard_refuse()', func="RAISE EXCEPTION 'not used: the trigger executes a function of its own';", hash='b41b89f9676ecd4ecfda4307e3f9a03350a68d6d', operation='DELETE', pgid='pgtrigger_no_delete_df400', table='migration_runs_verificationpass', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='verificationpass',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(execute='phasegate_guard_refuse()', func="RAISE EXCEPTION 'not used: the trigger executes a function of its own';", hash='aa1d244214f75e8f7cce70236ea25eb636164284', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_f7ee7', table='migration_runs_verificationpass', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='verificationbucket',
            constraint=models.UniqueConstraint(fields=('run', 'lo'), name='one_verification_bucket_per_beginning'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='verificationbucket',
            trigger=pgtrigger.compiler.Trigger(name='fixed_columns', sql=pgtrigger.compiler.UpsertTriggerSql(execute="phasegate_guard_fixed('', 'id', 'run_id', 'lo')", func="RAISE EXCEPTION 'not used: the trigger executes a function of its own';", hash='ed85d0481346d4199b2539920f23bafffb59ee06', operation='UPDATE', pgid='pgtrigger_fixed_columns_887f3', table='migration_runs_verificationbucket', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='verificationbucket',
            trigger=pgtrigger.compiler.Trigger(name='no_delete', sql=pgtrigger.compiler.UpsertTriggerSql(execute='phasegate_guard_refuse()', func="RAISE EXCEPTION 'not used: the trigger executes a function of its own';", hash='aef255e658a724809cf5eee92e4ce366bec6b251', operation='DELETE', pgid='pgtrigger_no_delete_df0aa', table='migration_runs_verificationbucket', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='verificationbucket',
            trigger=pgtrigger.compiler.Trigger(name='no_truncate', sql=pgtrigger.compiler.UpsertTriggerSql(execute='phasegate_guard_refuse()', func="RAISE EXCEPTION 'not used: the trigger executes a function of its own';", hash='02b37b99beb1d6fdd1b9bdb31a88507ebbcb0c5a', level='STATEMENT', operation='TRUNCATE', pgid='pgtrigger_no_truncate_07e36', table='migration_runs_verificationbucket', when='BEFORE')),
        ),
    ]
