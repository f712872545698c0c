"""Who a person is here: what the role owns, may and may not do, and what to read first, by role."""

from __future__ import annotations

from dataclasses import dataclass

from migration_runs import phases
from migration_runs.phases import Role
from migration_runs.selectors.start_views import GuideView, LinkView
from migration_runs.services import driving, plans, rollback


@dataclass(frozen=True)
class Reading:
    """Pages to start with, and to read then, each as ``(page, words)``."""

    does: str
    start: tuple[tuple[str, str], ...]
    then: tuple[tuple[str, str], ...]


RUN, PLAN = ("change", "the run page"), ("plan", "the plan, with every SQL file")
MONITORING, READINESS = ("monitoring", "the monitoring page"), ("readiness", "the readiness checklist")
ROLLBACK, AUDIT = ("rollback", "what a rollback would do"), ("audit", "the run's audit trail")
TRAIL = ("trail", "the whole audit trail")

READINGS: dict[Role, Reading] = {
    Role.APPROVER: Reading(
        "You read plans and approve them or send them back, and you approve the start of cleanup.",
        (PLAN,), (READINESS, RUN),
    ),
    Role.DBA: Reading("You drive the run through its database work.", (RUN,), (PLAN, ROLLBACK)),
    Role.ENGINEER: Reading("You switch the code and prove that it reads right.", (RUN,), (PLAN, READINESS)),
    Role.DEVOPS: Reading("You deploy what the code switch needs.", (RUN,), (READINESS, PLAN)),
    Role.ONCALL: Reading(
        "You watch the checks. When one fails: hold, look, then resume or roll back.",
        (MONITORING,), (ROLLBACK, RUN),
    ),
    Role.AUDITOR: Reading("You read everything and change nothing.", (TRAIL,), (AUDIT, PLAN)),
}  # fmt: skip


def guide(
    roles: frozenset[Role],
    *,
    superuser: bool,
    front: int | None,
    wrote_front: bool,
    administrators: tuple[str, ...],
) -> GuideView:
    """What the person should know of their own part. ``front`` is the run in front, by id."""
    if not roles:
        return _without_role(superuser=superuser, administrators=administrators)
    ordered = [role for role in Role if role in roles]
    names = " and ".join(role.value for role in ordered)
    said = [READINGS[role].does for role in ordered]
    said += [text for text in (_owns(roles), _may(roles)) if text]
    if wrote_front:
        said.append("You wrote the plan in front, so you cannot approve it.")
    start = [pair for role in ordered for pair in READINGS[role].start]
    then = [pair for role in ordered for pair in READINGS[role].then if pair not in start]
    return GuideView(
        title=f"You are the {names}" if len(ordered) == 1 else f"You are {names}",
        text=" ".join(said),
        start=_links(start, front),
        then=_links(then, front),
    )


def _without_role(*, superuser: bool, administrators: tuple[str, ...]) -> GuideView:
    if superuser:
        return GuideView(
            "You are an administrator",
            "You make accounts and give roles. You have no role yourself, so you start, sign and roll back "
            "nothing: being an administrator opens no gate.",
            (LinkView("accounts", "accounts"),),
            (LinkView(TRAIL[1], TRAIL[0]), LinkView("the list of runs", "runs")),
        )
    ask = f"Ask {' or '.join(administrators)}" if administrators else "Ask an administrator"
    return GuideView(
        "You have no role yet",
        f"Without a role the panel shows you no run. {ask} to put your account into a group: "
        f"{', '.join(role.value for role in Role)}.",
        (),
        (),
    )


def _owns(roles: frozenset[Role]) -> str:
    owned = [phase for phase in phases.PHASES if phase.owner in roles]
    if not owned:
        return ""
    names = [f"{phase.number} {phase.title}" for phase in owned]
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return f"You own phase{'s' if len(names) > 1 else ''} {listed}."


def _may(roles: frozenset[Role]) -> str:
    """What the roles may do beside their phases, and what they may not."""
    verbs = {
        "write runs": plans.AUTHORS,
        "hold": driving.HOLDERS,
        "resume": driving.RESUMERS,
        "roll back": rollback.MAY_ROLL_BACK,
    }
    may = [verb for verb, having in verbs.items() if roles.intersection(having)]
    may_not = [verb for verb in verbs if verb not in may]
    said = [f"You may {_listed(may, 'and')}."] if may else []
    if may and may_not:
        said.append(f"You may not {_listed(may_not, 'or')}.")
    return " ".join(said)


def _listed(words: list[str], last: str) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def _links(pairs: list[tuple[str, str]], front: int | None) -> tuple[LinkView, ...]:
    """Links to pages of the run in front, or of the panel; none to a run where there is none."""
    found = []
    for page, words in dict.fromkeys(pairs):
        if page == TRAIL[0]:
            found.append(LinkView(words, page))
        elif front is not None:
            found.append(LinkView(words, page, front))
    return tuple(found)
