"""Bad input: each is refused in words that help, and nothing is changed by it.

``docs/reference/bad-input.md`` lists every kind with the tests that produce it; those that no other test
produces from end to end are here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import conninfo

from controlpanel.embedded_databases import TargetUrls
from migration_runs import models
from migration_runs.exceptions import IllegalMove, NotAllowed, Refused, RunbookInvalid, StalePlan
from migration_runs.phases import Role
from migration_runs.services import gates, plans, runs
from tests.acceptance.conftest import StartRun
from tests.control import HOW, Scene, control_plan, make_people, make_person
from tests.unit.runbook_folder import Folder, copy_orders

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference" / "bad-input.md"

ITEMS = (
    # runbook
    "unknown key", "missing phase", "step without undo", "SQL syntax error",
    "identifier outside the declared tables", "two runs on one target table at once",
    # target
    "unreachable", "wrong password", "missing table or column", "no unique index",
    "row-level security hides rows", "role without privilege", "track_functions off",
    "existing different rows in the target", "a repair that live rows violate",
    "a call that answers success: false",
    # people
    "wrong role", "own plan", "stale digest", "phase out of order", "cleanup early", "double click",
    # backup
    "backup directory not writable", "disk full during pg_dump", "restore proof failing",
    "scratch database missing",
)  # fmt: skip

CONTROL = (
    models.StoredPlan, models.Run, models.PhaseRun, models.StepRun, models.Assignment, models.SignOff,
    models.Confirmation, models.ReadinessTick, models.MonitoringWindow, models.DueCheck,
)  # fmt: skip


# -- the reference


def listed() -> list[tuple[str, str]]:
    """The reference's rows: what goes wrong, and its tests."""
    rows = [line.strip("|").split("|") for line in REFERENCE.read_text(encoding="utf-8").splitlines()
            if line.startswith("|")]  # fmt: skip
    return [(row[0].strip(), row[-1]) for row in rows if "`tests/" in row[-1]]


def test_reference_lists_every_kind_of_bad_input() -> None:
    assert [item for item, _ in listed()] == list(ITEMS)


@pytest.mark.parametrize("item", ITEMS)
def test_reference_names_tests_that_exist(item: str) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", dict(listed())[item])
    assert named
    for path, name in named:
        assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8"), f"{path}::{name}"


# -- runbook


def drop_deploy(folder: Folder) -> None:
    """Leave phase 7 out."""
    start = folder.toml.index('[[phases]]\nkey = "deploy"')
    end = folder.toml.index('[[phases]]\nkey = "monitoring"')
    folder.change(folder.toml[start:end], "")


REVENUE = "5_code_switch/revenue.sql"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        pytest.param(
            lambda f: f.change('title = "Unique indexes"', 'title = "Unique indexes"\ncolour = "blue"'),
            r"runbook\.toml:\d+: error: unknown key .*colour",
            id="unknown key",
        ),
        pytest.param(
            drop_deploy, r"runbook\.toml:\d+: error: phase 7 'deploy' is missing", id="missing phase"
        ),
        pytest.param(
            lambda f: f.change('undo = "2_schema_validation/placed_at_index_undo.sql"', ""),
            r"runbook\.toml:\d+: error: .*has a repair and no undo",
            id="step without undo",
        ),
        pytest.param(
            lambda f: f.change("SELECT", "SELEKT", file=REVENUE),
            r"revenue\.sql:\d+: error: ",
            id="SQL syntax error",
        ),
        pytest.param(
            lambda f: f.change("sales.order_line", "sales.customer", file=REVENUE),
            r"revenue\.sql:\d+: error: .*sales\.customer",
            id="identifier outside the declared tables",
        ),
    ],
)  # fmt: skip
def test_invalid_runbook_becomes_no_run(
    spoil: Callable[[Folder], None], said: str, tmp_path: Path, settings: Any
) -> None:
    folder = copy_orders(tmp_path)
    settings.RUNBOOK_DIRS = (tmp_path,)
    spoil(folder)
    with pytest.raises(RunbookInvalid) as refused:
        plans.create_run(
            runbook_slug="orders",
            target="bars",
            data_decision="keep",
            author=make_people()[Role.DBA],
            how=HOW,
        )
    assert re.search(said, str(refused.value)), str(refused.value)
    assert not models.Run.objects.exists()
    assert not models.StoredPlan.objects.exists()
    assert [event.action for event in models.AuditEvent.objects.all()] == ["refused.create"]


# -- target


def whole(target: TargetUrls) -> dict[str, Any]:
    """Everything in schema public: every row, and the definition of whatever is there."""
    found: dict[str, Any] = {}
    with psycopg.connect(target.dsn) as conn:
        tables = conn.execute(
            "SELECT oid::regclass::text FROM pg_class"
            " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        ).fetchall()
        for (table,) in tables:
            rows = f"SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM {table} AS t"
            found[table] = conn.execute(rows.encode()).fetchone()
        for name, query in DEFINITIONS.items():
            found[name] = sorted(conn.execute(query.encode()).fetchall())
    return found


DEFINITIONS = {
    "functions": "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
    " AND prokind = 'f'",
    "columns": "SELECT attrelid::regclass::text, attname, atttypid::regtype::text"
    " FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid"
    " WHERE relnamespace = 'public'::regnamespace AND NOT attisdropped",
    "indexes": "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "constraints": "SELECT conname, pg_get_constraintdef(oid), convalidated FROM pg_constraint"
    " WHERE connamespace = 'public'::regnamespace",
    "triggers": "SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid"
    " WHERE relnamespace = 'public'::regnamespace",
}

DIFFERENT_BAR = """
INSERT INTO public.data_bars (canonical_symbol, timeframe, ts_utc, open, high, low, close, is_partial, source,
                              ingested_at, raw)
SELECT canonical_symbol, timeframe, ts_utc, open, high, low, close + 1, false, 'synthetic', now(), '{}'
  FROM public.derived_data_bars
 WHERE canonical_symbol = 'DXY' AND timeframe = '1m' AND deleted_at IS NULL LIMIT 1
"""


@pytest.mark.parametrize(
    ("fault", "phase", "step", "said"),
    [
        pytest.param("DROP TABLE public.data_ingest_state", 1, "objects",
                     "table public.data_ingest_state: missing", id="missing table"),
        pytest.param("ALTER TABLE public.data_bars DROP COLUMN vwap", 2, "columns",
                     "data_bars.vwap: expected double precision, found no column", id="missing column"),
        pytest.param("DROP INDEX public.derived_data_bars_active_key", 2, "unique_index",
                     "of active rows: missing", id="no unique index"),
        pytest.param("ANALYZE public.derived_data_bars;"
                     " ALTER TABLE public.derived_data_bars FORCE ROW LEVEL SECURITY", 1, "visibility",
                     "row-level security hides rows of derived_data_bars",
                     id="row-level security hides rows"),
        pytest.param("ALTER FUNCTION public.agg_bootstrap_cursor(text, text) OWNER TO CURRENT_USER", 1,
                     "role", "owns function agg_bootstrap_cursor(text,text), or is a member of its owner = f",
                     id="role that does not own a function"),
        pytest.param('REVOKE CREATE ON DATABASE "{database}" FROM phasegate_runner, bars_owner, PUBLIC', 1,
                     None, "may not create", id="role that may not create the ledger"),
        pytest.param("ALTER DATABASE \"{database}\" SET track_functions = 'none'", 1, "server",
                     "track_functions: none (must be all)", id="track_functions off"),
        pytest.param(DIFFERENT_BAR, 2, "target_rows", "derived_data_bars: 1, first at",
                     id="existing different rows in the target"),
    ],
)  # fmt: skip
def test_target_that_does_not_fit_stops_the_run_before_anything_changes(
    start_run: StartRun, bars_target: TargetUrls, fault: str, phase: int, step: str | None, said: str
) -> None:
    with psycopg.connect(bars_target.dsn, autocommit=True) as conn:
        for statement in fault.replace("{database}", bars_target.dbname).split(";"):
            conn.execute(statement.encode())
    before = whole(bars_target)
    outcome = start_run().attempt(phase)
    assert (outcome.status, outcome.step) == ("failed", step)
    assert said in outcome.error
    assert outcome.kept
    assert outcome.next_step
    assert whole(bars_target) == before


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"port": "1"}, "nothing listens at the target's address", id="unreachable"),
        pytest.param({"password": "sesame"}, "refuses the user name or the password", id="wrong password"),
    ],
)
def test_target_that_lets_nobody_in_is_neither_signed_for_nor_started_on(
    target: TargetUrls, change: dict[str, str], said: str, settings: Any
) -> None:
    plan = control_plan()
    with psycopg.connect(target.owner_url) as conn:
        conn.execute("CREATE TABLE public.old_things (id bigint PRIMARY KEY, body text NOT NULL)")
        conn.execute("CREATE TABLE public.new_things (id bigint PRIMARY KEY, body text NOT NULL)")
    submitted = Scene.submitted(plan)
    url = settings.TARGETS["bars"]
    settings.TARGETS["bars"] = conninfo.make_conninfo(target.runner_url, **change)
    before = control()
    with pytest.raises(Refused, match=said) as refused:
        submitted.sign(Role.APPROVER, evidence=None)
    assert control() == before
    settings.TARGETS["bars"] = url
    submitted.sign(Role.APPROVER, evidence=None)
    settings.TARGETS["bars"] = conninfo.make_conninfo(target.runner_url, **change)
    before = control()
    with pytest.raises(Refused, match=said) as at_start:
        submitted.start(1, evidence=None)
    assert control() == before
    secrets = {str(conninfo.conninfo_to_dict(target.runner_url)["password"]), "sesame"}
    told = f"{refused.value} {at_start.value} " + " ".join(
        str(event.detail) for event in models.AuditEvent.objects.all()
    )
    assert not [secret for secret in secrets if secret in told]
    settings.TARGETS["bars"] = url


# -- people


def control() -> dict[str, list[Any]]:
    """Every row of the control database that a person's verb may write, but for the audit's."""
    return {model.__name__: list(model.objects.order_by("pk").values()) for model in CONTROL}


def wrong_role_signs() -> Callable[[], object]:
    scene = Scene.submitted()
    return lambda: scene.sign(Role.APPROVER, person=scene.people[Role.ONCALL])


def wrong_role_starts() -> Callable[[], object]:
    scene = Scene.approved()
    return lambda: scene.start(1, person=scene.people[Role.ENGINEER])


def own_plan() -> Callable[[], object]:
    scene = Scene.submitted()
    author = make_person("dora", Role.DBA, Role.APPROVER)
    return lambda: scene.sign(Role.APPROVER, person=author)


def stale_digest() -> Callable[[], object]:
    scene = Scene.submitted()
    return lambda: scene.sign(Role.APPROVER, digest="0" * 64)


def out_of_order() -> Callable[[], object]:
    scene = Scene.at_phase(2)
    return lambda: scene.start(3)


def cleanup_before_its_time() -> Callable[[], object]:
    scene = Scene.at_phase(9)
    window = models.MonitoringWindow.objects.get(run_id=scene.run_id)
    window.ended_at, window.end_reason = window.started_at, "a check was missed"
    window.save()
    scene.sign(Role.APPROVER, gates.start_gate(9))
    return lambda: scene.start(9)


def second_click() -> Callable[[], object]:
    scene = Scene.approved()
    scene.start(1)
    return lambda: scene.start(1)


def second_submit() -> Callable[[], object]:
    scene = Scene.submitted()
    return lambda: runs.submit_run(scene.run_id, person=scene.people[Role.DBA], how=HOW)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("prepare", "kind", "said"),
    [
        pytest.param(wrong_role_signs, NotAllowed, "for the role approver; olga is oncall", id="wrong role"),
        pytest.param(wrong_role_starts, NotAllowed, "for the role dba; emil is engineer", id="wrong owner"),
        pytest.param(own_plan, NotAllowed, "who wrote a plan never approves it", id="own plan"),
        pytest.param(stale_digest, StalePlan, "it has changed since it was read", id="stale digest"),
        pytest.param(out_of_order, IllegalMove, "Phases go in order", id="phase out of order"),
        pytest.param(cleanup_before_its_time, Refused, "Cleanup is locked", id="cleanup early"),
        pytest.param(second_click, IllegalMove, "was started already at .* by dora", id="double click"),
        pytest.param(second_submit, IllegalMove, "only a draft is submitted", id="double submit"),
    ],
)  # fmt: skip
def test_person_who_may_not_changes_nothing_and_is_told_why(
    prepare: Callable[[], Callable[[], object]], kind: type[Refused], said: str
) -> None:
    attempt = prepare()
    before = control()
    events = models.AuditEvent.objects.count()
    with pytest.raises(kind, match=said):
        attempt()
    assert control() == before
    assert models.AuditEvent.objects.count() == events + 1
    last = models.AuditEvent.objects.order_by("-seq")[0]
    assert last.action.startswith("refused.")
    assert last.detail["reason"]
