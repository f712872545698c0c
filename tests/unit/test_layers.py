"""Who may import whom. Read from the source, so that an import inside a function counts as well."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import CHECKOUT

PUBLIC_DECLARATIONS = frozenset(
    {"migration_runs.phases", "migration_runs.states", "migration_runs.exceptions"}
)
"""What other apps may know of migration_runs."""

REGISTRY = "migration_runs.runbook.registry"
FINDING_RUNBOOKS = frozenset(
    f"{REGISTRY} imports {name}"
    for name in ("django.apps", "django.apps.apps", "django.conf", "django.conf.settings")
)
"""The one place that asks which apps are installed, since any of them may ship runbooks."""

ENTRY_POINTS = ("migration_runs.admin", "migration_runs.management", "migration_runs.tasks")


def modules(package: str) -> dict[str, Path]:
    """Every module of a package by dotted name."""
    found = {}
    for path in sorted((CHECKOUT / package).rglob("*.py")):
        parts = path.relative_to(CHECKOUT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(module: str, source: str, *, is_package: bool = False) -> Iterator[str]:
    """Dotted names that the source imports; ``from a import b`` gives a and a.b, since b may be a module."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")
                kept = parts[: len(parts) - node.level + (1 if is_package else 0)]
                base = ".".join([*kept, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def imported_by(module: str, path: Path) -> Iterator[str]:
    """Dotted names that the file of a module imports."""
    return imports(module, path.read_text(encoding="utf-8"), is_package=path.name == "__init__.py")


def within(name: str, *packages: str) -> bool:
    """Whether a dotted name is one of the packages or inside one."""
    return any(name == package or name.startswith(package + ".") for package in packages)


def offences(package: str, *forbidden: str, allowed: frozenset[str] = frozenset()) -> list[str]:
    """Imports of `forbidden` packages in modules of `package`; `allowed` names are not counted."""
    found = []
    for module, path in modules(package).items():
        found += [
            f"{module} imports {name}"
            for name in imported_by(module, path)
            if within(name, *forbidden) and not within(name, *allowed)
        ]
    return sorted(set(found))


def selected(package: str, *prefixes: str) -> dict[str, Path]:
    return {name: path for name, path in modules(package).items() if within(name, *prefixes)}


@pytest.mark.parametrize("part", ["engine", "runbook"])
def test_engine_and_runbook_know_no_django(part: str) -> None:
    package = f"migration_runs/{part}"
    assert modules(package)
    found = offences(package, "django", "django_fsm", "pgtrigger", "celery", "kombu")
    assert [line for line in found if line not in FINDING_RUNBOOKS] == []


@pytest.mark.parametrize("part", ["engine", "runbook"])
def test_engine_and_runbook_know_no_model_and_no_layer_above(part: str) -> None:
    above = ["models", "services", "selectors", "tasks", "dispatch", "admin", "management", "apps", "checks"]
    assert offences(f"migration_runs/{part}", *(f"migration_runs.{name}" for name in above)) == []


def test_the_runbook_does_not_know_the_engine() -> None:
    assert offences("migration_runs/runbook", "migration_runs.engine") == []


def test_migration_runs_knows_no_bars() -> None:
    assert offences("migration_runs", "bars") == []


def test_migration_runs_does_not_know_the_project() -> None:
    """The Celery application is found as the current one; settings through django.conf."""
    assert offences("migration_runs", "controlpanel") == []


def test_bars_knows_only_public_declarations_of_migration_runs() -> None:
    shared = PUBLIC_DECLARATIONS
    found = [
        line
        for line in offences("bars", "migration_runs", allowed=shared)
        if not line.endswith(" migration_runs")
    ]
    assert found == []


def test_bars_does_not_know_the_project() -> None:
    assert offences("bars", "controlpanel") == []


def test_nobody_imports_an_admin() -> None:
    found = []
    for package in ("migration_runs", "bars", "controlpanel"):
        own = f"{package}.admin"
        found += [
            line
            for line in offences(package, "migration_runs.admin", "bars.admin")
            if not within(line.split(" imports ")[0], own)
        ]
    assert found == []


def test_models_know_no_service_and_no_entry_point() -> None:
    above = ("migration_runs.services", "migration_runs.selectors", "migration_runs.dispatch", *ENTRY_POINTS)
    assert offences("migration_runs/models", *above) == []


def test_services_know_no_entry_point() -> None:
    assert offences("migration_runs/services", *ENTRY_POINTS) == []


def test_tasks_admin_and_commands_do_not_know_each_other() -> None:
    found = []
    for module, path in modules("migration_runs").items():
        own = [entry for entry in ENTRY_POINTS if within(module, entry)]
        if not own:
            continue
        found += [
            f"{module} imports {name}"
            for name in imported_by(module, path)
            if within(name, *ENTRY_POINTS) and not within(name, *own)
        ]
    assert found == []


def test_only_the_layers_below_write_models() -> None:
    """Admin and commands read through selectors and models, and change nothing but through services."""
    found = []
    for module, path in selected(
        "migration_runs", "migration_runs.admin", "migration_runs.management"
    ).items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in WRITES
            ):
                target = ast.unparse(node.func.value)
                if target.endswith(".objects") or ".objects." in target:
                    found.append(f"{module}:{node.lineno} {ast.unparse(node.func)}")
    assert found == []


WRITES = frozenset(
    {"create", "get_or_create", "update_or_create", "bulk_create", "bulk_update", "update", "delete", "save"}
)


@pytest.mark.parametrize(
    ("module", "source", "expected"),
    [
        ("a.b", "import x.y", {"x.y"}),
        ("a.b", "from x import y", {"x", "x.y"}),
        ("a.b", "from . import c", {"a", "a.c"}),
        ("a.b", "from .c import d", {"a.c", "a.c.d"}),
        ("a.b.c", "from ..d import e", {"a.d", "a.d.e"}),
        ("a.b", "def f():\n    from x import y", {"x", "x.y"}),
        ("a.b", "if TYPE_CHECKING:\n    import x", {"x"}),
    ],
)
def test_the_reader_of_imports_sees_every_form(module: str, source: str, expected: set[str]) -> None:
    assert set(imports(module, source)) == expected
