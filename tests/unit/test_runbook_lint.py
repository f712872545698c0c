"""What `runbook check` refuses in SQL: each with file and line, nothing changed anywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.runbook_folder import HEADER, Folder, copy_orders

FIRST = HEADER.count("\n") + 1
"""The first line of SQL behind the header."""

STEP = """
key = "extra"
kind = "sql"
title = "Extra"
sql = "extra.sql"
undo = "none: a test"
"""
ASSERT = """
key = "extra"
kind = "assert"
title = "Extra"
sql = "extra.sql"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return copy_orders(tmp_path)


def errors_of(folder: Folder, sql: str, *, step: str = STEP, phase: str = "code_switch") -> list[str]:
    """The errors of one more step with this SQL, in its own file."""
    folder.sql("extra.sql", sql)
    folder.add_step(phase, step)
    return [error for error in folder.errors() if error.startswith("extra.sql:")]


def test_harmless_statement_is_accepted(folder: Folder) -> None:
    assert errors_of(folder, "UPDATE sales.order_line SET note = 'x' WHERE order_id = 1;") == []


def test_syntax_error_is_refused_with_its_line(folder: Folder) -> None:
    errors = errors_of(folder, "SELECT 1;\nSELEC 2;\n")
    assert errors
    assert errors[0].startswith(f"extra.sql:{FIRST + 1}: error: ")
    assert any("SQL syntax" in error for error in errors)


@pytest.mark.parametrize(
    "sql", ["SELECT 'never closed;", 'SELECT "never;', "SELECT $a$ never;", "SELECT 1 /* never;"]
)
def test_quote_that_is_never_closed_is_refused(folder: Folder, sql: str) -> None:
    assert any("SQL syntax" in error for error in errors_of(folder, sql))


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("SELECT * FROM public.secrets;", "public.secrets"),
        ("SELECT * FROM sales.order_line JOIN public.secrets USING (order_id);", "public.secrets"),
        ("SELECT * FROM sales.order_line, public.secrets;", "public.secrets"),
        ("SELECT * FROM sales.order_line AS a, LATERAL (SELECT FROM public.secrets) AS b;", "public.secrets"),
        ("SELECT * FROM (sales.order_line AS a CROSS JOIN public.secrets);", "public.secrets"),
        ("SELECT * FROM ONLY public.secrets;", "public.secrets"),
        ("INSERT INTO public.secrets VALUES (1);", "public.secrets"),
        ("UPDATE public.secrets SET a = 1;", "public.secrets"),
        ("DELETE FROM public.secrets;", "public.secrets"),
        ("DELETE FROM sales.order_line USING public.secrets;", "public.secrets"),
        (
            "MERGE INTO sales.order_line AS t USING public.secrets AS s ON true WHEN MATCHED THEN DELETE;",
            "public.secrets",
        ),
        ('SELECT * FROM "Public"."Secrets";', "Public.Secrets"),
        ("SELECT * FROM public /* hidden */ . /* as well */ secrets;", "public.secrets"),
        ("WITH own AS (SELECT 1) SELECT * FROM own, public.secrets;", "public.secrets"),
        ("WITH secrets AS (SELECT * FROM secrets) SELECT * FROM secrets;", "secrets"),
        ("SELECT (WITH own AS (SELECT 1 AS a) SELECT a FROM own), (SELECT a FROM own);", "own"),
        ("ALTER TABLE public.secrets ADD COLUMN a int;", "public.secrets"),
        ("CREATE TABLE public.secrets (a int);", "public.secrets"),
        ("DROP TABLE sales.order_line, public.secrets;", "public.secrets"),
        ("LOCK TABLE public.secrets IN SHARE MODE;", "public.secrets"),
        ("GRANT SELECT ON TABLE sales.order_line, public.secrets TO bars_app;", "public.secrets"),
        ("COMMENT ON COLUMN public.secrets.a IS 'x';", "public.secrets"),
        ("CREATE INDEX CONCURRENTLY i ON public.secrets (a);", "public.secrets"),
        (
            "CREATE TRIGGER t AFTER INSERT ON public.secrets EXECUTE FUNCTION sales.revenue();",
            "public.secrets",
        ),
        (
            "ALTER TABLE sales.order_line ADD FOREIGN KEY (sku) REFERENCES public.secrets NOT VALID;",
            "public.secrets",
        ),
        ("SELECT a INTO public.secrets FROM sales.order_line;", "public.secrets"),
        ("TABLE public.secrets;", "public.secrets"),
        ("SELECT * FROM order_line;", "order_line"),
        ("INSERT INTO pg_catalog.pg_class VALUES (1);", "pg_catalog.pg_class"),
    ],
)
def test_table_outside_the_declared_ones_is_refused(folder: Folder, sql: str, name: str) -> None:
    assert any(name in error for error in errors_of(folder, sql)), sql


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("SELECT public.steal();", "public.steal"),
        ("SELECT steal();", "steal"),
        ('SELECT "steal" ();', "steal"),
        ("SELECT pg_read_file('/etc/passwd');", "pg_read_file"),
        ("SELECT pg_catalog.pg_terminate_backend(1);", "pg_catalog.pg_terminate_backend"),
        ("SELECT set_config('search_path', 'evil', false);", "set_config"),
        ("SELECT query_to_xml('SELECT * FROM secrets', true, true, '');", "query_to_xml"),
        ("SELECT lo_import('/etc/passwd');", "lo_import"),
        ("SELECT * FROM dblink('host=x', 'SELECT 1') AS t(a int);", "dblink"),
        ("CALL public.steal();", "public.steal"),
        ("SELECT revenue(now(), now());", "sales.revenue"),
        ("DROP FUNCTION public.steal();", "public.steal"),
        ("GRANT EXECUTE ON FUNCTION public.steal(integer) TO bars_app;", "public.steal"),
    ],
)
def test_function_outside_the_declared_ones_is_refused(folder: Folder, sql: str, name: str) -> None:
    assert any(name in error for error in errors_of(folder, sql)), sql


def test_function_bodies_are_looked_into_with_their_lines(folder: Folder) -> None:
    folder.change(
        '"sales.revenue(timestamptz, timestamptz)",',
        '"sales.revenue(timestamptz, timestamptz)",\n    "sales.x()",',
    )
    errors = errors_of(
        folder,
        "CREATE FUNCTION sales.x() RETURNS void LANGUAGE plpgsql AS $body$\n"
        "BEGIN\n"
        "    IF true THEN\n"
        "        DELETE FROM public.secrets;\n"
        "    END IF;\n"
        "END\n"
        "$body$;\n",
    )
    assert errors == [
        f"extra.sql:{FIRST + 3}: error: table public.secrets is not among the runbook's declared tables"
    ]


@pytest.mark.parametrize("quote", ["'", "$$"])
def test_do_blocks_are_looked_into(folder: Folder, quote: str) -> None:
    errors = errors_of(folder, f"DO {quote}BEGIN PERFORM public.steal(); END{quote};")
    assert any("public.steal" in error for error in errors)


@pytest.mark.parametrize(
    "body",
    [
        "EXECUTE 'SELECT 1';",
        "FOR r IN EXECUTE 'SELECT 1' LOOP NULL; END LOOP;",
        "RETURN QUERY EXECUTE 'SELECT 1';",
        "IF true THEN EXECUTE 'SELECT 1'; END IF;",
    ],
)
def test_dynamic_sql_is_refused(folder: Folder, body: str) -> None:
    errors = errors_of(folder, f"DO $$ DECLARE r record; BEGIN {body} END $$;")
    assert any("EXECUTE runs SQL that nobody can review" in error for error in errors)


@pytest.mark.parametrize(
    "sql",
    ["COMMIT;", "SELECT 1; ROLLBACK; SELECT 2;", "BEGIN;", "START TRANSACTION;", "END;", "SAVEPOINT a;",
     "PREPARE TRANSACTION 'x';"],
)  # fmt: skip
def test_t_c4_file_that_ends_its_own_transaction_is_refused(folder: Folder, sql: str) -> None:
    assert any("transaction" in error for error in errors_of(folder, sql))


def test_t_c4_commit_inside_code_is_refused(folder: Folder) -> None:
    assert any("COMMIT inside code" in error for error in errors_of(folder, "DO $$ BEGIN COMMIT; END $$;"))


def test_t_c4_statement_that_cannot_run_in_a_transaction_stands_alone(folder: Folder) -> None:
    errors = errors_of(
        folder,
        "CREATE INDEX CONCURRENTLY a ON sales.order_line (sku);\nANALYZE sales.order_line;",
        step=STEP + "transaction = false\n",
    )
    assert any("must be the only one of its file" in error for error in errors)


def test_statement_that_cannot_run_in_a_transaction_says_so_in_its_step(folder: Folder) -> None:
    errors = errors_of(folder, "CREATE INDEX CONCURRENTLY a ON sales.order_line (sku);")
    assert any("set transaction = false" in error for error in errors)


@pytest.mark.parametrize(
    "sql",
    [
        "SET search_path = evil;",
        "RESET ALL;",
        "SET LOCAL lock_timeout = 0;",
        "COPY sales.order_line TO PROGRAM 'x';",
        "CREATE ROLE evil SUPERUSER;",
        "ALTER SYSTEM SET fsync = off;",
        "DROP SCHEMA sales CASCADE;",
        "CREATE EXTENSION dblink;",
        "GRANT bars_owner TO evil;",
        "LISTEN x;",
        "LOAD 'x';",
        "REFRESH MATERIALIZED VIEW v;",
    ],
)
def test_statement_that_no_migration_needs_is_refused(folder: Folder, sql: str) -> None:
    assert errors_of(folder, sql), sql


def test_ddl_without_a_lock_timeout_is_refused(folder: Folder) -> None:
    folder.sql(
        "extra.sql",
        "ALTER TABLE sales.order_line ADD COLUMN extra text;",
        header=HEADER.replace("lock 200 ms, ", ""),
    )
    folder.add_step("schema_validation", STEP)
    assert f"extra.sql:{FIRST}: error: DDL without a lock timeout" in " ".join(folder.errors())


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE INDEX a ON sales.order_line (sku);",
        "ALTER TABLE sales.order_line ADD COLUMN a int NOT NULL;",
        "ALTER TABLE sales.order_line ADD CONSTRAINT a CHECK (quantity < 10);",
        "ALTER TABLE sales.order_line ALTER COLUMN quantity TYPE bigint;",
        "ALTER TABLE sales.order_line RENAME COLUMN note TO notes;",
    ],
)
def test_t_c5_what_would_lock_a_live_table_is_refused(folder: Folder, sql: str) -> None:
    assert any("squawk" in error for error in errors_of(folder, sql))


def test_security_definer_without_search_path_is_refused(folder: Folder) -> None:
    errors = errors_of(
        folder,
        "CREATE OR REPLACE FUNCTION sales.revenue(p_from timestamptz, p_to timestamptz) RETURNS numeric\n"
        "LANGUAGE sql SECURITY DEFINER AS $$ SELECT 1.0 $$;",
    )
    assert any("search_path" in error for error in errors)


def test_function_in_an_untrusted_language_is_refused(folder: Folder) -> None:
    errors = errors_of(
        folder,
        "CREATE OR REPLACE FUNCTION sales.revenue(p_from timestamptz, p_to timestamptz) RETURNS numeric\n"
        "LANGUAGE plpython3u AS $$ import os $$;",
    )
    assert any("plpython3u" in error for error in errors)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE sales.order_line SET note = 'x' RETURNING true AS ok, 'x' AS message;",
        "WITH gone AS (DELETE FROM sales.order_line RETURNING 1) SELECT true AS ok, 'x' AS message;",
        "SELECT true AS ok, note AS message FROM sales.order_line FOR UPDATE;",
        "SELECT true AS ok, 'x' AS message; SELECT 1;",
    ],
)
def test_assertion_that_does_more_than_read_is_refused(folder: Folder, sql: str) -> None:
    assert errors_of(folder, sql, step=ASSERT)


def test_unknown_parameter_is_refused_at_its_line(folder: Folder) -> None:
    errors = errors_of(folder, "SELECT true AS ok,\n %(nothing)s::text AS message;", step=ASSERT)
    assert errors == [f"extra.sql:{FIRST + 1}: error: there is no parameter 'nothing' here"]


def test_check_parameters_are_for_checks_alone(folder: Folder) -> None:
    errors = errors_of(folder, "SELECT %(now)s::timestamptz IS NOT NULL AS ok, 'x' AS message;", step=ASSERT)
    assert any("there is no parameter 'now' here" in error for error in errors)


def test_lone_percent_sign_in_a_file_with_parameters_is_refused(folder: Folder) -> None:
    folder.change("%%s lines", "%s lines", file="checks/lines_placed.sql")
    line = folder.line_of("%s lines", file="checks/lines_placed.sql")
    assert any(
        error.startswith(f"checks/lines_placed.sql:{line}: error: in a file with")
        for error in folder.errors()
    )


def test_parameter_inside_quotes_is_refused(folder: Folder) -> None:
    folder.change("'price of the dearest line'", "'price %(now)s'", file="checks/dearest_line.sql")
    assert any("inside quotes" in error for error in folder.errors())


def test_temporary_table_is_the_files_own_and_named_as_such(folder: Folder) -> None:
    good = "CREATE TEMPORARY TABLE mine AS SELECT 1 AS a;\nSELECT a FROM pg_temp.mine;"
    assert errors_of(folder, good) == []


def test_temporary_table_named_without_pg_temp_is_refused(folder: Folder) -> None:
    assert any("pg_temp.mine" in error for error in errors_of(
        folder, "CREATE TEMPORARY TABLE mine AS SELECT 1 AS a;\nSELECT a FROM mine;"
    ))  # fmt: skip


def test_index_of_somebody_else_cannot_be_dropped(folder: Folder) -> None:
    errors = errors_of(
        folder, "DROP INDEX CONCURRENTLY sales.order_line_pkey;", step=STEP + "transaction = false\n"
    )
    assert any("order_line_pkey is not one that this runbook creates" in error for error in errors)


# -- how the parts fit together


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('before_image = { functions = ["sales.revenue(timestamptz, timestamptz)"] }', "", "has no undo"),
        ('undo = "2_schema_validation/placed_at_index_undo.sql"', "", "has a repair and no undo"),
        ('undo = "none: a test report changes nothing"', "", "has no undo"),
        ('key = "verify"\nkind = "verify"', 'key = "copy"\nkind = "verify"', "given twice"),
        ('check = "dearest_line"', 'check = "nothing"', "there is no check 'nothing'"),
        ('evidence = "9.no_orphans"', 'evidence = "9.orphans"', "neither a check nor a step"),
        ('key = ["order_id", "sku"]', 'key = ["order_id", "line"]', "must be mapped unchanged"),
        ('source = "sales.order_line_old"', 'source = "sales.line"', "not among the declared tables"),
        ('left_out = ["target.line_no"]', 'left_out = ["line_no"]', "source.NAME or target.NAME"),
        ('approvals = ["approver"]', 'approvals = ["dba"]', "approved by an approver"),
        ('sign_off = ["devops", "engineer"]', 'sign_off = ["devops"]', "wants a second role"),
        ('new_functions = ["sales.place_line_direct"]', 'new_functions = ["sales.nothing"]', "not declared"),
        (
            'functions = ["sales.revenue(timestamptz, timestamptz)"] }',
            'functions = ["sales.x()"] }',
            "not declared",
        ),
        ("min_rows = 50", "min_rows = 5000", "between min_rows and max_rows"),
        (
            'tables = ["sales.order_line_old", "sales.order_line"]',
            'tables = ["order_line_old"]',
            "schema.table",
        ),
        (
            'builtin = "verification"',
            'builtin = "verification"\nsql = "checks/dearest_line.sql"',
            "either sql or builtin",
        ),
        ("passes = { below = 1000000 }", "", "could not fail"),
        (
            'evidence_hint = "deployment"',
            'evidence_hint = "x"\nevidence_pattern = "("',
            "no regular expression",
        ),
    ],
)
def test_parts_that_do_not_fit_are_refused(folder: Folder, old: str, new: str, message: str) -> None:
    folder.change(old, new)
    assert any(message in error and error.startswith("runbook.toml:") for error in folder.errors()), (
        folder.errors()
    )


def test_the_folder_is_only_read(folder: Folder) -> None:
    before = {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()}
    folder.findings()
    assert {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()} == before
