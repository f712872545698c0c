"""Stored plans: written once, read back only if they are still what was signed."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import User

from migration_runs.exceptions import Refused
from migration_runs.models import StoredPlan
from migration_runs.runbook.plan import Plan, canonical_json


def store(plan: Plan, *, person: User) -> StoredPlan:
    """The stored row of the plan, made if it is not there yet."""
    stored, _ = StoredPlan.objects.get_or_create(
        digest=plan.digest,
        defaults={"slug": plan.runbook.slug, "body": plan.model_dump(mode="json"), "created_by": person},
    )
    return stored


_KEPT = 64
_known: dict[str, Plan] = {}
_lock = threading.Lock()


def plan_of(digest: str) -> Plan:
    """The plan with this digest, parsed once per process.

    Raises StoredPlan.DoesNotExist, or Refused if what is stored has another digest.
    """
    return plans_of([digest])[digest]


def plans_of(digests: Iterable[str]) -> dict[str, Plan]:
    """Plans by digest, one query for all that this process has not read yet. Raises as :func:`plan_of`."""
    wanted = set(digests)
    with _lock:
        found = {digest: _known[digest] for digest in wanted if digest in _known}
    left = wanted - found.keys()
    if left:
        bodies = dict(StoredPlan.objects.filter(pk__in=left).values_list("digest", "body"))
        if missing := left - bodies.keys():
            raise StoredPlan.DoesNotExist(f"no plan is stored under {min(missing)[:12]}")
        read = {digest: _checked(digest, body) for digest, body in bodies.items()}
        found |= read
        with _lock:
            _known.update(read)
            for oldest in list(_known)[: max(0, len(_known) - _KEPT)]:
                del _known[oldest]
    return found


def _checked(digest: str, body: dict[str, Any]) -> Plan:
    # A later version may know fields, with defaults, that the plan was signed without: what is stored counts.
    found = hashlib.sha256(canonical_json(body).encode()).hexdigest()
    plan = Plan.from_json(body)
    if digest not in {found, plan.digest}:
        raise Refused(
            f"The stored plan {digest[:12]} is not what was signed: its digest is {found[:12]}. "
            "Find out who changed the control database before anything else.",
            rule="digest",
        )
    return plan
