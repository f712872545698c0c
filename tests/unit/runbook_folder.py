"""A copy of a valid runbook for a test to break."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from migration_runs.exceptions import Finding
from migration_runs.runbook import loader

ORDERS = Path(__file__).parents[1] / "runbooks" / "orders"
HEADER = """-- what: a test.
-- why: a test.
-- locks: none.
-- timeout: lock 200 ms, statement 5 s
-- undo: none needed.
"""


@dataclass(frozen=True)
class Folder:
    """A runbook's folder that a test may change."""

    path: Path

    @property
    def toml(self) -> str:
        """The text of its runbook.toml."""
        return (self.path / "runbook.toml").read_text(encoding="utf-8")

    def change(self, old: str, new: str, *, file: str = "runbook.toml") -> None:
        """Replace the only (or first) occurrence of ``old``; a test whose text is not there is a
        broken test.
        """
        path = self.path / file
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{old!r} is not in {file}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    def sql(self, name: str, body: str, *, header: str = HEADER) -> None:
        """Write a SQL file with a header in front of ``body``."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(header + body, encoding="utf-8")

    def drop_step(self, phase: str, key: str) -> None:
        """Take a step out of a phase."""
        before, found, phases = self.toml.partition(f'[[phases]]\nkey = "{phase}"')
        assert found, phase
        own, separator, later = phases.partition("[[phases]]\n")
        steps = own.split("[[phases.steps]]\n")
        kept = [step for step in steps if not step.startswith(f'key = "{key}"\n')]
        assert len(kept) == len(steps) - 1, key
        (self.path / "runbook.toml").write_text(
            before + found + "[[phases.steps]]\n".join(kept) + separator + later, encoding="utf-8"
        )

    def add_step(self, phase: str, step: str, *, first: bool = False) -> None:
        """Put a step (its TOML without the header) at the end or the beginning of a phase."""
        before, found, phases = self.toml.partition(f'[[phases]]\nkey = "{phase}"')
        assert found, phase
        own, separator, later = phases.partition("[[phases]]\n")
        block = f"[[phases.steps]]\n{step.strip()}\n\n"
        if first:
            head, mark, steps = own.partition("[[phases.steps]]\n")
            own = head + block + mark + steps
        else:
            own = own + block
        (self.path / "runbook.toml").write_text(before + found + own + separator + later, encoding="utf-8")

    def findings(self) -> tuple[Finding, ...]:
        """What checking it gives."""
        return loader.check(self.path).findings

    def errors(self) -> list[str]:
        """The errors, as ``file:line: error: message``."""
        return [str(finding) for finding in self.findings() if finding.level == "error"]

    def line_of(self, text: str, *, file: str = "runbook.toml") -> int:
        """The line on which ``text`` stands first."""
        lines = (self.path / file).read_text(encoding="utf-8").splitlines()
        return next(number for number, line in enumerate(lines, start=1) if text in line)


def copy_orders(tmp_path: Path) -> Folder:
    """A copy of the orders runbook, which is valid, under its own name."""
    target = tmp_path / "orders"
    shutil.copytree(ORDERS, target, ignore=shutil.ignore_patterns("__pycache__"))
    return Folder(target)
