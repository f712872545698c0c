"""What a signature is bound to: this database, and the schema that the plan depends on."""

from __future__ import annotations

import pytest

from controlpanel.embedded_databases import TargetUrls
from migration_runs.engine import connection, fingerprint
from migration_runs.runbook.plan import Plan
from tests import plans
from tests.integration import stepping

FUNCTION = "CREATE FUNCTION public.calc(n int) RETURNS int LANGUAGE sql AS 'SELECT n'"

TRIGGER = """
CREATE TRIGGER quiet BEFORE UPDATE ON public.old_things FOR EACH ROW
EXECUTE FUNCTION suppress_redundant_updates_trigger()
"""


@pytest.fixture(autouse=True)
def tables(target: TargetUrls) -> None:
    stepping.make_tables(target)
    stepping.execute(target, FUNCTION)


def plan() -> Plan:
    small = plans.plan()
    return small.model_copy(
        update={"runbook": small.runbook.model_copy(update={"functions": ("public.calc(int)",)})}
    )


def taken(target: TargetUrls) -> str:
    with connection.connect(target.runner_url, application_name="test") as conn:
        return fingerprint.fingerprint(conn, plan())


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE public.old_things ADD COLUMN more text",
        "ALTER TABLE public.old_things ALTER COLUMN body DROP NOT NULL",
        "ALTER TABLE public.old_things ALTER COLUMN body SET DEFAULT 'x'",
        "ALTER TABLE public.new_things ADD CHECK (id > 0) NOT VALID",
        "CREATE INDEX ON public.new_things (body)",
        "ALTER TABLE public.new_things ENABLE ROW LEVEL SECURITY",
        "CREATE OR REPLACE FUNCTION public.calc(n int) RETURNS int LANGUAGE sql AS 'SELECT n + 1'",
        "ALTER FUNCTION public.calc(int) SECURITY DEFINER",
        "CREATE FUNCTION public.calc(n text) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        TRIGGER,
        "DROP TABLE public.new_things",
    ],
)
def test_a_change_of_the_schema_changes_the_fingerprint(target: TargetUrls, change: str) -> None:
    before = taken(target)
    stepping.execute(target, change)
    assert taken(target) != before


@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO public.old_things VALUES (1, 'x')",
        "CREATE TABLE public.unrelated (id int)",
        "CREATE FUNCTION public.unrelated() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "DROP FUNCTION public.calc(int);" + FUNCTION,
        "COMMENT ON TABLE public.old_things IS 'old'",
    ],
)
def test_what_the_plan_does_not_depend_on_leaves_the_fingerprint(target: TargetUrls, change: str) -> None:
    before = taken(target)
    stepping.execute(target, change)
    assert taken(target) == before


def test_our_own_triggers_are_no_drift(target: TargetUrls) -> None:
    before = taken(target)
    with connection.connect(target.runner_url, application_name="test") as conn:
        conn.execute("CREATE SCHEMA phasegate")
        conn.execute(
            "CREATE FUNCTION phasegate.mirror() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"
        )
        conn.execute(
            "CREATE TRIGGER mirror AFTER INSERT ON public.old_things FOR EACH STATEMENT "
            "EXECUTE FUNCTION phasegate.mirror()"
        )
    assert taken(target) == before


def test_equal_schemas_have_equal_fingerprints_and_different_identities(
    target: TargetUrls, scratch: TargetUrls
) -> None:
    stepping.make_tables(scratch)
    stepping.execute(scratch, FUNCTION)
    assert taken(scratch) == taken(target)
    with (
        connection.connect(target.runner_url, application_name="test") as one,
        connection.connect(scratch.runner_url, application_name="test") as other,
    ):
        assert fingerprint.identity(one) != fingerprint.identity(other)
        assert fingerprint.identity(one).endswith(f":{target.dbname}")
