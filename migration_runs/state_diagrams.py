"""The page of the documentation that draws both state machines, made from the transition tables."""

from __future__ import annotations

import inspect
import re
from enum import StrEnum

from migration_runs import states
from migration_runs.states import PHASE_TRANSITIONS, RUN_TRANSITIONS, PhaseState, RunState, Transition

HEAD = """# State machines

Made from `migration_runs/states.py` by `manage.py state_diagrams`; a test compares. The same tables make the
state machines of the models and the database triggers that refuse every other move, from `queryset.update()`
and raw SQL too.
"""


def page() -> str:
    """The whole page, as Markdown with Mermaid diagrams."""
    return "\n".join(
        (
            HEAD,
            _machine("Run", RunState, RUN_TRANSITIONS, RunState.DRAFT),
            _machine("Phase", PhaseState, PHASE_TRANSITIONS, PhaseState.PENDING),
        )
    )


def _machine(name: str, kinds: type[StrEnum], table: tuple[Transition, ...], initial: StrEnum) -> str:
    meanings = _comments(kinds)
    lines = [f"## {name}", "", "```mermaid", "stateDiagram-v2", f"    [*] --> {initial}"]
    lines += [f"    {arrow.source} --> {arrow.target}: {arrow.verb}" for arrow in table]
    sources = {arrow.source for arrow in table}
    lines += [f"    {state} --> [*]" for state in kinds if state not in sources]
    lines += ["```", "", "| state | meaning |", "|---|---|"]
    lines += [f"| `{state}` | {meanings[state.name]} |" for state in kinds]
    lines += ["", "| from | verb | to | why |", "|---|---|---|---|"]
    lines += [f"| `{arrow.source}` | {arrow.verb} | `{arrow.target}` | {arrow.reason} |" for arrow in table]
    return "\n".join([*lines, ""])


def _comments(kinds: type[StrEnum]) -> dict[str, str]:
    """The comment beside each state in the source."""
    source = inspect.getsource(states)
    body = source[source.index(f"class {kinds.__name__}(") :]
    found = re.findall(r"^    ([A-Z_]+) = \"\w+\"  # (.+)$", body, re.MULTILINE)
    # The next class may use a name again: the first one counts.
    return {name: meaning for name, meaning in reversed(found) if name in kinds.__members__}
