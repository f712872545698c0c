"""What a signature binds besides the plan: which database it is, and what its relevant schema looks like."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from django.conf import settings

from migration_runs.engine import connection, fingerprint
from migration_runs.exceptions import EngineError, Refused
from migration_runs.models import Run
from migration_runs.runbook.plan import Plan


@dataclass(frozen=True)
class Evidence:
    """The target as found: which database it is, and the digest of what the plan touches in it."""

    identity: str
    schema: str


def collect(run: Run, plan: Plan) -> Evidence:
    """Ask the target, without changing anything.

    Raises Refused with the reason in plain words when it cannot be asked: nobody signs for what cannot be
    seen.
    """
    url = settings.TARGETS.get(run.target)
    if url is None:
        raise Refused(
            f"Target '{run.target}' is not set up here: set TARGET_{run.target.upper()}_URL.", rule="target"
        )
    try:
        with connection.connect(str(url), application_name=f"phasegate/{run.uid.hex[:8]}/evidence") as conn:
            return Evidence(identity=fingerprint.identity(conn), schema=fingerprint.fingerprint(conn, plan))
    except EngineError as error:
        raise Refused(f"Target '{run.target}' cannot be asked: {error}", rule="target") from error
    except psycopg.Error as error:
        said = error.diag.message_primary or type(error).__name__
        raise Refused(f"Target '{run.target}' cannot be asked: {said}", rule="target") from error
