"""The twelve rules at the level of the plan: a runbook that could break one is refused, and the rule is
named.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.runbook_folder import Folder, copy_orders

UPDATE = """
key = "early"
kind = "sql"
title = "Early"
sql = "early.sql"
undo = "none: a test"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return copy_orders(tmp_path)


def refused(folder: Folder, words: str) -> bool:
    """Whether an error says these words."""
    return any(words in error for error in folder.errors())


def test_the_unchanged_runbook_breaks_no_rule(folder: Folder) -> None:
    assert folder.errors() == []


def test_rule_01_runbook_without_backup_is_refused(folder: Folder) -> None:
    folder.drop_step("preflight", "backup")
    assert refused(folder, "rule 1: phase 1 has no backup")


def test_rule_01_change_before_the_backup_is_refused(folder: Folder) -> None:
    folder.sql("early.sql", "UPDATE sales.order_line SET note = 'x' WHERE order_id = 1;")
    folder.add_step("preflight", UPDATE, first=True)
    assert refused(folder, "rule 1: step 'early' may change something before the backup")


def test_rule_01_backup_that_leaves_out_a_written_table_is_refused(folder: Folder) -> None:
    folder.change(
        'tables = ["sales.order_line_old", "sales.order_line"]\nfunctions',
        'tables = ["sales.order_line_old", "sales.order_line", "sales.log"]\nfunctions',
    )
    folder.sql("early.sql", "INSERT INTO sales.log VALUES (1);")
    folder.add_step("code_switch", UPDATE)
    assert refused(folder, "rule 1: the backup leaves out what the plan writes to: sales.log")


def test_rule_01_runbook_without_rehearsal_is_refused(folder: Folder) -> None:
    folder.drop_step("preflight", "rehearse_sql")
    assert refused(folder, "rule 1: phase 1 has no rehearse_sql")


def test_rule_02_schema_validation_without_an_assertion_is_refused(folder: Folder) -> None:
    folder.sql("early.sql", "UPDATE sales.order_line SET note = 'x' WHERE order_id = 1;")
    folder.drop_step("schema_validation", "unique_index")
    folder.drop_step("schema_validation", "placed_at_index")
    folder.add_step("schema_validation", UPDATE)
    assert refused(folder, "rules 2 and 8: phase 2 asserts nothing")


def test_rule_03_function_that_nothing_tries_is_refused(folder: Folder) -> None:
    folder.drop_step("create_function", "try_writer")
    assert refused(folder, "rule 3: nothing behind step 'create_writer' tries the functions")


def test_rule_03_trial_before_the_function_does_not_count(folder: Folder) -> None:
    folder.drop_step("create_function", "try_writer")
    folder.add_step(
        "create_function",
        'key = "try_writer"\nkind = "sql"\ntitle = "Try it"\nsql = "3_create_function/place_line_trial.sql"\n'
        'trial = true\nverdict = "ok"',
        first=True,
    )
    assert refused(folder, "rule 3: nothing behind step 'create_writer'")


@pytest.mark.parametrize("key", ["forward", "copy", "settle", "verify"])
def test_rule_04_copy_without_any_of_its_parts_is_refused(folder: Folder, key: str) -> None:
    folder.drop_step("backfill", key)
    assert refused(folder, "rule 4: phase 4 must have, in this order")


def test_rule_04_copy_before_dual_write_is_refused(folder: Folder) -> None:
    folder.drop_step("backfill", "forward")
    folder.add_step(
        "backfill", 'key = "forward"\nkind = "dual_write"\ntitle = "Old to new"\ndirection = "forward"'
    )
    assert refused(folder, "rule 4: phase 4 must have, in this order")


def test_rule_05_window_of_less_than_a_day_is_refused(folder: Folder) -> None:
    folder.change("hours = 24", "hours = 23.9")
    line = folder.line_of("hours = 23.9")
    assert (
        f"runbook.toml:{line}: error: rule 5: the window is 23.9 h, and must be 24 at least"
        in folder.errors()
    )


def test_rule_05_monitoring_without_its_step_or_without_checks_is_refused(folder: Folder) -> None:
    folder.change(
        'kind = "monitor"',
        'kind = "confirm"\nrole = "oncall"\ntext = "x"\nevidence_hint = "x"\nundo = "none: x"',
    )
    assert refused(folder, "rule 5: phase 8 has no monitor step")
    folder.change('sql = "checks/lines_placed.sql"', 'sql = "checks/lines_placed.sql"\nin_window = false')
    folder.change('sql = "checks/dearest_line.sql"', 'sql = "checks/dearest_line.sql"\nin_window = false')
    assert refused(folder, "rule 5: no check of the window measures anything")


def test_rule_06_cleanup_without_verification_before_or_orphan_check_behind_is_refused(
    folder: Folder,
) -> None:
    folder.drop_step("cleanup", "verify")
    folder.drop_step("cleanup", "no_orphans")
    assert refused(folder, "rule 6: nothing in phase 9 verifies")
    assert refused(folder, "rule 6: nothing in phase 9 looks for orphans")


def test_rule_06_window_without_verification_is_refused(folder: Folder) -> None:
    folder.change('builtin = "verification"', 'builtin = "verification"\nin_window = false')
    assert refused(folder, "rules 5 and 6: no check of the window is the verification")


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM sales.order_line_old WHERE order_id = 1;",
        "WITH gone AS (DELETE FROM sales.order_line_old RETURNING 1) SELECT count(*) FROM gone;",
        "TRUNCATE sales.order_line_old;",
        "DROP TABLE sales.order_line_old;",
        "DO $$ BEGIN DELETE FROM sales.order_line_old; END $$;",
    ],
)
@pytest.mark.parametrize("phase", ["backfill", "code_switch", "cleanup"])
def test_rule_07_sql_that_deletes_from_the_source_is_refused(folder: Folder, sql: str, phase: str) -> None:
    folder.sql("early.sql", sql)
    folder.add_step(phase, UPDATE)
    assert refused(folder, "rule 7: early.sql")


def test_rule_07_withdrawing_source_rows_by_an_update_is_refused(folder: Folder) -> None:
    folder.change(
        'left_out = ["target.line_no"]',
        'left_out = ["target.line_no"]\nactive = { column = "deleted_at", is_null = true }',
    )
    folder.change('kind = "delete"', 'kind = "soft_delete"')
    folder.sql("early.sql", "UPDATE sales.order_line_old SET deleted_at = now();")
    folder.add_step("code_switch", UPDATE)
    assert refused(folder, "rule 7: early.sql")


def test_rule_08_unique_index_that_nobody_asserts_is_refused(folder: Folder) -> None:
    folder.drop_step("schema_validation", "unique_index")
    assert refused(folder, "rule 8: no assertion of phase 2 looks at the unique index")


def test_rule_09_test_suite_in_the_run_is_refused(folder: Folder) -> None:
    for number in range(4):
        folder.add_step(
            "health_checks", f'key = "c{number}"\nkind = "check"\ntitle = "c"\ncheck = "dearest_line"'
        )
    assert refused(folder, "rule 9: phase 6 has 6 steps")


def test_rule_09_step_that_changes_something_is_no_health_check(folder: Folder) -> None:
    folder.sql("early.sql", "UPDATE sales.order_line SET note = 'x' WHERE order_id = 1;")
    folder.add_step("health_checks", UPDATE)
    assert refused(folder, "rule 9: step 'early' of phase 6 is not a health check")


def test_rule_10_code_switch_without_evidence_is_refused(folder: Folder) -> None:
    folder.drop_step("code_switch", "writer_built")
    assert refused(folder, "rule 10: phase 5 has no confirm step")


def test_rule_10_deploy_without_confirmation_is_refused(folder: Folder) -> None:
    folder.drop_step("deploy", "deployed")
    assert refused(folder, "rule 10: phase 7 has no confirm step")


def test_rule_10_deploy_that_cannot_be_taken_back_is_refused(folder: Folder) -> None:
    folder.change('undo_text = "Every shop process runs the old version again."', 'undo = "none: x"')
    assert refused(folder, "rule 10: step 'deployed' must say what is deployed again")


def test_rule_10_code_switch_before_reverse_dual_write_is_refused(folder: Folder) -> None:
    folder.sql("early.sql", "UPDATE sales.order_line SET note = 'x' WHERE order_id = 1;")
    folder.add_step("code_switch", UPDATE, first=True)
    assert refused(folder, "rule 10: step 'early' switches code before reverse dual-write is on")


def test_rule_11_deploy_that_nobody_observes_is_refused(folder: Folder) -> None:
    folder.drop_step("deploy", "observe_switch")
    assert refused(folder, "rule 11: phase 7 observes nothing")


def test_rule_11_no_check_that_shows_jobs_moving_is_refused(folder: Folder) -> None:
    folder.drop_step("health_checks", "dearest_line")
    assert refused(folder, "rule 11: neither phase 5 nor 6 has a check or observe step")


@pytest.mark.parametrize("phase", ["backfill", "deploy", "monitoring"])
def test_rule_12_retiring_rows_before_phase_nine_is_refused(folder: Folder, phase: str) -> None:
    folder.add_step(phase, 'key = "retire_early"\nkind = "delete"\ntitle = "Delete"')
    assert refused(folder, "rules 7 and 12: step 'retire_early' retires rows before phase 9")


def test_rule_12_move_without_soft_delete_must_keep_images(folder: Folder) -> None:
    folder.change('kind = "delete"', 'kind = "soft_delete"')
    assert refused(folder, "rule 7: a move with an active rule retires by soft_delete, one without by delete")
