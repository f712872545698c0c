"""Which runbooks there are: ``runbooks/<slug>/`` of every installed app, and the folders of
``RUNBOOK_DIRS``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from django.apps import apps
from django.conf import settings

from migration_runs.exceptions import Refused
from migration_runs.runbook.draft import FILE_NAME


@dataclass(frozen=True)
class Entry:
    """A runbook's folder and where it comes from: an app's label, or the folder that
    ``RUNBOOK_DIRS`` names.
    """

    slug: str
    folder: Path
    origin: str


def available() -> tuple[Entry, ...]:
    """Every runbook, by slug. Not validated. Raises Refused when two folders have the same slug."""
    found: dict[str, Entry] = {}
    for origin, root in _roots():
        for path in sorted(root.glob(f"*/{FILE_NAME}")):
            entry = Entry(path.parent.name, path.parent, origin)
            other = found.setdefault(entry.slug, entry)
            if other.folder.resolve() != entry.folder.resolve():
                raise Refused(
                    f"two runbooks are called {entry.slug}: {other.folder} and {entry.folder}",
                    rule="runbook-slug",
                )
    return tuple(found[slug] for slug in sorted(found))


def find(slug: str) -> Path:
    """The folder of the runbook ``slug``. Raises Refused when there is none."""
    entries = available()
    for entry in entries:
        if entry.slug == slug:
            return entry.folder
    known = ", ".join(entry.slug for entry in entries) or "none"
    raise Refused(f"there is no runbook '{slug}' (known: {known})", rule="runbook-slug")


def _roots() -> list[tuple[str, Path]]:
    roots = [(config.label, Path(config.path) / "runbooks") for config in apps.get_app_configs()]
    roots += [(str(folder), Path(folder)) for folder in getattr(settings, "RUNBOOK_DIRS", ())]
    return [(origin, root) for origin, root in roots if root.is_dir()]
