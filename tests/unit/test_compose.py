"""The container files, read as data: no engine is needed to see what they promise."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from controlpanel import env
from controlpanel.celery import QUEUES
from tests.processes import CHECKOUT

COMPOSE = CHECKOUT / "docker-compose.yml"
VARIABLE = re.compile(r"(?<!\$)\$\{(?P<name>[A-Z_]+)(?P<operator>:?[-?+])?(?P<word>[^}]*)\}")
HARMLESS = {"CSRF_TRUSTED_ORIGINS", "RUNBOOK_DIRS", "SWEEP_SECONDS", "WEB_PORT", "PUBLIC_URL", "EMAIL_FROM"}
OFF_WHEN_EMPTY = {"EMAIL_URL", "NOTIFY_URLS"}
"""They may hold secrets; without them nobody gets messages."""
OURS = ("migrate", "web", "worker", "checks", "verification", "notifications", "beat")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose["services"]
    return found


def test_only_known_top_level_keys(compose: dict[str, Any]) -> None:
    assert {key for key in compose if not key.startswith("x-")} == {"name", "services", "networks", "volumes"}


def test_every_part_of_the_panel_is_there(services: dict[str, dict[str, Any]]) -> None:
    assert set(services) == {"control", "broker", *OURS}


def test_every_secret_is_required_and_none_has_a_default() -> None:
    found = list(VARIABLE.finditer(COMPOSE.read_text(encoding="utf-8")))
    optional = {match["name"] for match in found if match["operator"] != ":?"}
    required = {match["name"] for match in found if match["operator"] == ":?"}
    assert optional == HARMLESS | OFF_WHEN_EMPTY
    assert all(match["word"] == "" for match in found if match["name"] in OFF_WHEN_EMPTY)
    assert {"SECRET_KEY", "CONTROL_OWNER_PASSWORD", "CONTROL_APP_PASSWORD", "BROKER_PASSWORD"} <= required
    assert not optional & required


def test_only_migrate_knows_the_owners_password(services: dict[str, dict[str, Any]]) -> None:
    knowing = {name for name in OURS if "CONTROL_OWNER_PASSWORD" in str(services[name]["environment"])}
    assert knowing == {"migrate"}


def test_every_service_that_stays_has_a_health_check(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        check = service["healthcheck"]
        if name == "migrate":
            assert check == {"disable": True}
        else:
            assert check["test"][0] in {"CMD", "CMD-SHELL"}
            assert check["interval"]


def test_nothing_starts_before_what_it_needs(services: dict[str, dict[str, Any]]) -> None:
    assert services["migrate"]["depends_on"] == {"control": {"condition": "service_healthy"}}
    for name in OURS[1:]:
        assert services[name]["depends_on"] == {
            "migrate": {"condition": "service_completed_successfully"},
            "broker": {"condition": "service_healthy"},
        }


def test_the_panels_containers_have_no_privileges_and_cannot_write(
    services: dict[str, dict[str, Any]],
) -> None:
    for name in OURS:
        service = services[name]
        assert service["cap_drop"] == ["ALL"]
        assert service["read_only"] is True
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "privileged" not in service


def test_only_the_panel_is_published_and_on_loopback_alone(services: dict[str, dict[str, Any]]) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert list(published) == ["web"]
    assert all(port.startswith("127.0.0.1:") for port in published["web"])


def test_every_queue_has_a_worker(services: dict[str, dict[str, Any]]) -> None:
    taken = [
        queue
        for name in ("worker", "checks", "verification", "notifications")
        for queue in _after(services[name]["command"], "-Q").split(",")
    ]
    assert sorted(taken) == sorted(QUEUES)


def test_the_process_file_takes_every_queue_too() -> None:
    lines = (CHECKOUT / "Procfile").read_text(encoding="utf-8").splitlines()
    taken = [queue for line in lines if " worker " in line for queue in _after(line.split(), "-Q").split(",")]
    assert sorted(taken) == sorted(QUEUES)


def _after(words: list[str], option: str) -> str:
    return words[words.index(option) + 1]


def test_the_panel_accepts_the_environment_that_the_file_gives(
    services: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    values = {
        "TARGET_BARS_URL": "postgresql://runner:x@target/bars",
        "SCRATCH_BARS_URL": "postgresql://runner:x@target/scratch",
        "SECRET_KEY": "s" * 60,
    }

    def fill(match: re.Match[str]) -> str:
        name, operator = match["name"], match["operator"]
        return match["word"] if operator == ":-" else values.get(name, "filled")

    for name in OURS:
        given = {key: VARIABLE.sub(fill, str(value)) for key, value in services[name]["environment"].items()}
        # The image sets it.
        read = env.read(given | {"BACKUP_DIR": "/var/backups/phasegate"}, data_dir=tmp_path)
        assert (read.demo, read.debug) == (False, False)
        assert bool(read.database_owner_url) == (name == "migrate")


def test_the_image_runs_as_an_ordinary_user_with_checked_hashes() -> None:
    lines = (CHECKOUT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    stages = [number for number, line in enumerate(lines) if line.startswith("FROM ")]
    assert len(stages) == 2
    final = lines[stages[-1] :]
    assert [line for line in final if line.startswith("USER ")] == ["USER phasegate"]
    assert any(line.startswith("HEALTHCHECK ") for line in final)
    assert any("--require-hashes" in line for line in lines)
    assert not [line for line in final if "SECRET" in line or "PASSWORD" in line]


def test_every_requirement_is_locked_with_a_hash() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        text = (CHECKOUT / name).read_text(encoding="utf-8").replace("\\\n", " ")
        pins = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
        assert len(pins) > 10
        assert not [line for line in pins if "==" not in line or "--hash=sha256:" not in line]


def test_scripts_are_valid_shell() -> None:
    for script in (".ci/run", "controlpanel/docker/control-init.sh"):
        subprocess.run(["bash", "-n", CHECKOUT / script], check=True)
