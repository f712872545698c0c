"""The environment: a missing or senseless variable stops the start, in words that say what to set."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from controlpanel import embedded, env, settings
from tests.processes import CHECKOUT

PRODUCTION = {
    "SECRET_KEY": "a production-like secret with more than fifty characters, all of them typed by hand",
    "DATABASE_URL": "postgresql://phasegate_app:app-password@db:5432/phasegate",
    "TARGET_BARS_URL": "postgresql://phasegate_runner:runner-password@bars-db:5432/bars",
    "SCRATCH_BARS_URL": "postgresql://phasegate_runner:runner-password@bars-db:5432/bars_scratch",
    "CELERY_BROKER_URL": "redis://:broker-password@broker:6379/0",
    "BACKUP_DIR": "/var/backups/phasegate",
    "ALLOWED_HOSTS": "panel.example.org",
}


@pytest.fixture
def empty_data_dir(tmp_path: Path) -> Path:
    """A data directory on which no demo runs."""
    return tmp_path


@pytest.mark.parametrize("name", ["SECRET_KEY", "DATABASE_URL", "CELERY_BROKER_URL", "BACKUP_DIR"])
def test_a_missing_variable_stops_the_start_and_is_named(name: str, empty_data_dir: Path) -> None:
    without = {key: value for key, value in PRODUCTION.items() if key != name}
    with pytest.raises(ImproperlyConfigured, match=f"^{name} is not set"):
        env.read(without, data_dir=empty_data_dir)
    with pytest.raises(ImproperlyConfigured, match=f"^{name} is not set"):
        env.read(without | {name: ""}, data_dir=empty_data_dir)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SECRET_KEY", "short", "at least 32"),
        ("DATABASE_URL", "mysql://u:hunter2@h/d", "postgresql://"),
        ("DATABASE_URL", "postgresql://u:hunter2@h", "postgresql://"),
        ("DATABASE_OWNER_URL", "hunter2", "postgresql://"),
        ("TARGET_BARS_URL", "sqlite:///hunter2", "TARGET_BARS_URL"),
        ("SCRATCH_BARS_URL", "hunter2", "SCRATCH_BARS_URL"),
        ("BARS_APP_URL_BARS", "hunter2", "BARS_APP_URL_BARS"),
        ("TARGET_DEFAULT_URL", "postgresql://u:hunter2@h/d", "control database"),
        ("CELERY_BROKER_URL", "amqp://u:hunter2@h", "redis://"),
        ("SWEEP_SECONDS", "often", "SWEEP_SECONDS"),
        ("SWEEP_SECONDS", "0", "greater than 0"),
        ("SWEEP_SECONDS", "nan", "greater than 0"),
        ("PHASEGATE_SHELL_USERS", "root", "shelluser=panel.user"),
        ("PUBLIC_URL", "panel.example.org", "https://"),
        ("EMAIL_URL", "imap://u:hunter2@h", "smtp+tls://"),
        ("EMAIL_URL", "smtp://u:hunter2/x@h:25", "smtp+tls://"),
        ("EMAIL_URL", "smtp://u:hunter2@h:25", "EMAIL_FROM is not set"),
        ("NOTIFY_URLS", "hunter2", "Apprise"),
        ("NOTIFY_URLS_NOBODY", "json://hunter2", "no role of that name"),
    ],
)
def test_a_senseless_value_is_refused_without_repeating_a_password(name: str, value: str, said: str) -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        env.read(PRODUCTION | {name: value})
    assert name in str(refused.value)
    assert said in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_values_are_typed_and_aliases_lower_case() -> None:
    read = env.read(
        PRODUCTION
        | {
            "TARGET_STAGING_URL": "postgresql://phasegate_runner:x@h/s",
            "RUNBOOK_DIRS": "/srv/a,/srv/b",
            "PHASEGATE_SHELL_USERS": "alice=a.lindqvist,okafor=m.okafor",
            "SWEEP_SECONDS": "2.5",
        }
    )
    assert sorted(read.targets) == ["bars", "staging"]
    assert read.runbook_dirs == (Path("/srv/a"), Path("/srv/b"))
    assert read.shell_users == {"alice": "a.lindqvist", "okafor": "m.okafor"}
    assert read.sweep_seconds == 2.5
    assert (read.debug, read.demo, read.database_owner_url) == (False, False, None)
    assert (read.public_url, read.email_url, read.notify_urls) == ("", "", {})


def test_addresses_of_messages_are_read_and_never_shown() -> None:
    read = env.read(
        PRODUCTION
        | {
            "PUBLIC_URL": "https://panel.example.org/phasegate/",
            "EMAIL_URL": "smtp+tls://u:hunter2@mail.example.org:587",
            "EMAIL_FROM": "panel@example.org",
            "NOTIFY_URLS": "json://h/hunter2,b  slack://hunter2/x, discord://hunter2/y",
            "NOTIFY_URLS_ONCALL": "jsons://h/hunter2",
            "NOTIFY_URLS_DBA": "",
        }
    )
    assert read.public_url == "https://panel.example.org/phasegate"
    assert read.notify_urls == {
        "NOTIFY_URLS": ("json://h/hunter2,b", "slack://hunter2/x", "discord://hunter2/y"),
        "NOTIFY_URLS_ONCALL": ("jsons://h/hunter2",),
    }
    assert "hunter2" not in repr(read)


def test_the_environment_never_shows_its_secrets() -> None:
    shown = repr(env.read(PRODUCTION))
    assert "password" not in shown
    assert PRODUCTION["SECRET_KEY"] not in shown


def test_a_running_demos_environment_is_found_only_while_it_runs(tmp_path: Path) -> None:
    tmp_path.chmod(0o711)
    (tmp_path / "env").write_text(json.dumps(PRODUCTION | {"PHASEGATE_DEMO": "1"}))
    with embedded.Cluster(tmp_path, postgres=False, broker=False):
        assert env.read({}, data_dir=tmp_path).demo
        assert env.read({"SWEEP_SECONDS": "7"}, data_dir=tmp_path).sweep_seconds == 7
    with pytest.raises(ImproperlyConfigured, match="not running any more"):
        env.read({}, data_dir=tmp_path)


def test_a_demos_environment_is_not_mixed_into_a_given_one(tmp_path: Path) -> None:
    (tmp_path / "env").write_text(json.dumps({"PHASEGATE_DEMO": "1"}))
    with embedded.Cluster(tmp_path, postgres=False, broker=False):
        assert not env.read(PRODUCTION, data_dir=tmp_path).demo


def _manage(*args: str, variables: dict[str, str], data_dir: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *args],
        cwd=CHECKOUT,
        env={"PATH": os.environ["PATH"], "PHASEGATE_DATA_DIR": str(data_dir), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_manage_py_without_an_environment_says_in_one_line_what_to_set(empty_data_dir: Path) -> None:
    done = _manage("check", variables={}, data_dir=empty_data_dir)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "SECRET_KEY is not set" in done.stderr
    assert "make demo" in done.stderr


def test_the_deployment_check_is_clean_in_production(empty_data_dir: Path) -> None:
    done = _manage("check", "--deploy", "--fail-level", "INFO", variables=PRODUCTION, data_dir=empty_data_dir)
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


def test_migrate_without_the_owners_url_names_it(empty_data_dir: Path) -> None:
    done = _manage("migrate", variables=PRODUCTION, data_dir=empty_data_dir)
    assert done.returncode == 1
    assert "DATABASE_OWNER_URL is not set" in done.stderr


def test_migrate_refuses_any_role_but_the_owner(empty_data_dir: Path) -> None:
    done = _manage("migrate", "--database", "default", variables=PRODUCTION, data_dir=empty_data_dir)
    assert done.returncode == 1
    assert "'owner' alone" in done.stderr


def test_every_variable_is_in_the_reference() -> None:
    source = (CHECKOUT / "controlpanel" / "env.py").read_text(encoding="utf-8")
    reference = (CHECKOUT / "docs" / "reference" / "environment.md").read_text(encoding="utf-8")
    read = set(re.findall(r'"([A-Z]+(?:_[A-Z]+)+|DEBUG)"', source)) - {"DATABASE_SCHEMES"}
    documented = set(re.findall(r"^\| `([A-Z_]+)`", reference, re.MULTILINE))
    assert read <= documented
    assert documented - read == {"PHASEGATE_DATA_DIR"}


def test_a_process_that_is_frozen_inside_a_transaction_frees_the_run_before_a_lease_is_over() -> None:
    said = re.search(r"idle_in_transaction_session_timeout=(\d+)s", settings.SESSION_OPTIONS)
    assert said is not None
    assert int(said[1]) < env.read(PRODUCTION).lease_seconds
