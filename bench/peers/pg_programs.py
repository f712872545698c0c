"""PostgreSQL's own programs, of the server's version."""

from __future__ import annotations

import subprocess
from pathlib import Path


class ProgramError(Exception):
    """A program ended with an error; says which."""


def carry(programs: Path, table: str, *, source: str, target: str) -> None:
    """``pg_dump --data-only`` of a table into ``psql``, in one transaction that an error ends."""
    with subprocess.Popen(
        [programs / "pg_dump", "--data-only", f"--table={table}", source], stdout=subprocess.PIPE
    ) as dump:
        done = subprocess.run(
            [programs / "psql", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", target],
            stdin=dump.stdout, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
        if done.returncode or dump.wait():
            raise ProgramError(f"pg_dump | psql: exit codes {dump.wait()}, {done.returncode}: {done.stderr}")
