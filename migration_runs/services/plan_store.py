"""Stored plans: written once, read back only if they are still what was signed."""

from __future__ import annotations

import hashlib
from functools import lru_cache

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


@lru_cache(maxsize=64)
def plan_of(digest: str) -> Plan:
    """The plan with this digest, parsed once per process.

    Raises Refused if what is stored has another digest.
    """
    body = StoredPlan.objects.values_list("body", flat=True).get(pk=digest)
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
