"""The verification box: what goes on, what was found, what follows, and what to do, in each of its states."""

from __future__ import annotations

import dataclasses
import re

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from psycopg import conninfo

from controlpanel import embedded
from controlpanel.embedded_databases import TargetUrls
from migration_runs import beside
from migration_runs.models import VerificationBucket, VerificationPass, VerificationReport
from migration_runs.phases import Role
from migration_runs.selectors import verification_rows
from migration_runs.selectors.run_page import run_view
from migration_runs.selectors.verification_views import VerificationView
from migration_runs.services import verification
from tests import standby
from tests.control import CLEAN, HOW, Scene
from tests.integration import panel, verified
from tests.integration.reading import as_role, text_of
from tests.integration.test_services_verification import _owner

pytestmark = pytest.mark.usefixtures("control_db", "broker")

TOUCHED = VerificationReport.Kind.TOUCHED


def box(scene: Scene) -> VerificationView:
    return run_view(scene.run_id, person=scene.people[Role.ONCALL]).verification


def page(scene: Scene) -> str:
    """The live part of the run page, tags and all."""
    return as_role(scene, Role.ONCALL).get(panel.url("live", scene.run_id)).content.decode()


def words(scene: Scene, *, of: str = "live") -> str:
    return text_of(as_role(scene, Role.ONCALL).get(panel.url(of, scene.run_id)))


def test_before_the_copy_it_says_when_it_will_begin() -> None:
    scene = panel.started(2)
    assert (box(scene).state, box(scene).activity) == ("verify_none", "")
    shown = words(scene)
    assert "The first one starts by itself once phase 4 is signed" in shown
    assert "Before the end of phase 4 there are not two sides to compare" in shown


def test_a_clean_pass_and_a_clean_look_are_told_apart(target: TargetUrls) -> None:
    scene = verified.copied(target, verified.SHORT, rows=2100)
    assert "The first one is on its way" in words(scene)
    beside.verify_run(scene.run_id)
    beside.look_at_touched(scene.run_id)
    at = box(scene)
    assert (at.state, at.activity, at.late, at.to_do) == ("verify_clean", "", "", "")
    assert at.full is not None
    assert at.look is not None
    assert (at.full.source_rows, at.full.buckets, at.full.columns) == (2100, 1, 2)
    assert at.full.oldest <= at.full.at
    assert at.look.source_rows == 2000, "a look compares the end alone"
    shown = words(scene)
    assert "2,100 old, 2,100 new rows" in shown
    assert "Both tables equal when last compared" in shown
    assert "Bodies are short : holds" in shown
    assert "Phase 9 asks for a full pass that began after the window" in shown


def test_rows_that_differ_are_shown_with_key_column_both_values_and_since_when(target: TargetUrls) -> None:
    scene = verified.differing(target)
    at = box(scene)
    assert at.state == "verify_differs"
    by_key = {row.key[0][1]: row for row in at.differences}
    assert {key: row.state for key, row in by_key.items()} == {
        "7": "row_different", "8": "row_different", "9": "row_missing", "900": "row_extra",
        "12": "row_different",
    }  # fmt: skip
    cell = by_key["7"].cells[0]
    assert (cell.column, cell.source, cell.target) == ("body", "body 7", "other")
    assert at.follows.startswith("Holds phase 8 and has ended its window. Locks phase 9")
    assert "past the triggers" in at.to_do
    assert at.to_do.endswith("Then verify again, and resume.")
    shown = words(scene)
    for said in ("Not equal", "1 missing, 1 extra, 3 different", "each seen twice, in two snapshots",
                 "no such row", "Bodies are short : broken, 1 row", "1301 characters", "empty"):  # fmt: skip
        assert said in shown, said
    assert "Rows to look at" in words(scene, of="monitoring")


def test_when_a_row_was_first_seen_to_differ_is_kept_and_forgotten_with_the_difference(
    target: TargetUrls,
) -> None:
    scene = verified.copied(target)
    verified.damage(target, verified.ALTERED)
    for _ in range(2):
        beside.verify_run(scene.run_id)
    first, second = VerificationReport.objects.order_by("id")
    assert box(scene).differences[0].first_seen == first.at < second.at
    verified.damage(target, "UPDATE new_things SET body = 'body 7' WHERE id = 7")
    beside.verify_run(scene.run_id)
    assert box(scene).differences == ()
    verified.damage(target, verified.ALTERED)
    again = beside.verify_run(scene.run_id)
    assert again is not None
    assert box(scene).differences[0].first_seen == again.at


def test_values_are_escaped(target: TargetUrls) -> None:
    scene = verified.copied(target)
    verified.damage(target, "UPDATE new_things SET body = '<script>alert(1)</script>' WHERE id = 7")
    beside.verify_run(scene.run_id)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page(scene)
    assert "<script>alert" not in page(scene)


def test_a_target_that_cannot_be_compared_says_why_what_is_kept_and_what_to_do(target: TargetUrls) -> None:
    scene = verified.in_trouble(target)
    at = box(scene)
    assert at.activity == "verify_trouble"
    assert at.open_pass is not None
    assert at.open_pass.trouble == "there is no table public.new_things in the target database"
    assert at.to_do == "Find out who renamed or dropped it, bring it back, then try again."
    assert re.match(r"If no full pass ends by \d\d:\d\d:\d\d, phase 8 is held", at.follows)
    shown = words(scene)
    assert "Cannot compare: there is no table public.new_things in the target database." in shown
    assert "Kept: everything; nothing was changed." in shown
    assert "Was equal" in shown
    assert "Each sweep tries again" in shown
    verified.damage(target, "ALTER TABLE elsewhere RENAME TO new_things")
    beside.verify_run(scene.run_id)
    assert (box(scene).activity, box(scene).state) == ("", "verify_clean")


def test_a_look_that_cannot_be_made_says_why_though_no_pass_is_open(target: TargetUrls) -> None:
    scene = verified.watched(target)
    beside.verify_run(scene.run_id)
    beside.look_at_touched(scene.run_id)
    verified.damage(target, "ALTER TABLE new_things RENAME TO elsewhere")
    assert beside.look_at_touched(scene.run_id) is None
    first = box(scene).look_trouble
    assert beside.look_at_touched(scene.run_id) is None
    at = box(scene)
    assert (at.activity, at.open_pass, at.late) == ("verify_trouble", None, "")
    assert at.look_trouble is not None
    assert first is not None
    assert at.look_trouble.since == first.since
    assert at.look_trouble.tried_at > first.tried_at  # type: ignore[operator]
    assert at.to_do == "Find out who renamed or dropped it, bring it back, then try again."
    shown = words(scene)
    assert "Cannot look at what was touched: there is no table public.new_things" in shown
    assert "Was equal" in shown
    verified.damage(target, "ALTER TABLE elsewhere RENAME TO new_things")
    beside.look_at_touched(scene.run_id)
    assert box(scene).look_trouble is None
    assert box(scene).activity == ""


def test_a_standby_is_refused_on_the_page_also_before_the_first_pass(
    target: TargetUrls, cluster: embedded.Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = verified.copied(target)
    with standby.of(cluster) as following:
        monkeypatch.setitem(
            settings.TARGETS, "bars", conninfo.make_conninfo(target.runner_url, port=following.server.port)
        )
        assert beside.verify_run(scene.run_id) is None
    at = box(scene)
    assert (at.activity, at.state) == ("verify_trouble", "verify_none")
    assert at.to_do == "Let the target's URL name the primary, then retry."
    shown = words(scene)
    assert "the target is a standby: source and target are compared on the primary only." in shown
    assert "Kept: everything; nothing was compared." in shown


def test_a_pass_shows_how_far_it_is_and_that_its_worker_was_lost_and_goes_on(
    target: TargetUrls, project_env: dict[str, str]
) -> None:
    scene = verified.copied(target, verified.NAP, rows=450_000)
    with verified.comparing(scene, project_env) as process:
        at = box(scene)
        assert (at.activity, at.state) == ("verify_running", "verify_none")
        assert at.open_pass is not None
        assert at.open_pass.worker
        assert at.open_pass.rate is not None
        assert at.open_pass.buckets is None, "nobody knows in the first pass"
        assert "Full pass 1 : bucket" in words(scene)
        assert "rows/s" in words(scene)
        verified.lose(process, scene)
    at = box(scene)
    assert at.activity == "worker_lost"
    assert at.open_pass is not None
    done = at.open_pass.buckets_done
    shown = words(scene)
    assert re.search(r"Worker lost, last heard of \d+ s ago, resuming\.", shown)
    assert "rows/s" not in shown
    report = beside.verify_run(scene.run_id)
    assert report is not None
    assert report.clean
    assert report.buckets > done
    assert (box(scene).activity, box(scene).state) == ("", "verify_clean")


def test_a_later_pass_knows_how_many_buckets_and_rows_are_to_come(
    target: TargetUrls, project_env: dict[str, str]
) -> None:
    scene = verified.copied(target, verified.NAP, rows=450_000)
    beside.verify_run(scene.run_id)
    known = VerificationBucket.objects.count()
    with verified.comparing(scene, project_env):
        at = box(scene).open_pass
        assert at is not None
        assert (at.buckets, at.rows_expected) == (known, 450_000)
        assert at.eta is not None
        assert re.search(rf"Full pass 2 : bucket \d of {known}", words(scene))


def test_who_asked_is_said_until_a_worker_has_begun(target: TargetUrls) -> None:
    scene = verified.copied(target)
    verification.request(scene.run_id, person=scene.people[Role.DBA], how=HOW)
    assert "dora asked for one at" in words(scene)
    beside.verify_run(scene.run_id)
    assert "asked for one at" not in words(scene)


def test_what_does_not_come_is_late(target: TargetUrls) -> None:
    scene = verified.watched(target)
    beside.verify_run(scene.run_id)
    beside.look_at_touched(scene.run_id)
    assert box(scene).late == ""
    old = "SET at = at - interval '1 day', started_at = started_at - interval '1 day'"
    _owner("UPDATE migration_runs_phaserun SET finished_at = finished_at - interval '2 days'")
    _owner(f"UPDATE migration_runs_verificationreport {old} WHERE kind = 'touched'")
    assert box(scene).late.startswith("No look at what was touched since")
    _owner(f"UPDATE migration_runs_verificationreport {old} WHERE kind = 'full'")
    at = box(scene)
    assert at.late.startswith("No full pass has ended since")
    assert "phase 8 is held" in at.follows
    assert "Late" in words(scene)


def test_keys_that_wait_are_lag_and_overdue_ones_a_fault(target: TargetUrls) -> None:
    scene = verified.copied(target)
    verification.record(scene.run_id, CLEAN)
    verification.record(scene.run_id, dataclasses.replace(CLEAN, pending=2, pending_s=12.0), kind=TOUCHED)
    assert box(scene).state == "verify_clean"
    assert "2 keys, the oldest since" in words(scene)
    lagging = dataclasses.replace(CLEAN, pending=2, overdue=1, pending_s=900.0)
    verification.record(scene.run_id, lagging, kind=TOUCHED)
    at = box(scene)
    assert at.state == "verify_differs"
    assert at.to_do.startswith("Read the log: it names keys that cannot be drained.")
    assert "1 wait longer than lag explains" in words(scene)


def test_after_the_end_nothing_is_asked_of_anybody(target: TargetUrls) -> None:
    scene = Scene.at_phase(9)
    verification.record(scene.run_id, CLEAN)
    scene.sign(Role.APPROVER, "start:9")
    scene.start(9)
    at = box(scene)
    assert (at.state, at.to_do, at.live) == ("verify_over", "", False)
    assert "Ended with the start of phase 9" in words(scene)


def test_the_box_costs_the_same_queries_however_much_was_compared_and_found(target: TargetUrls) -> None:
    scene = verified.copied(target, verified.SHORT)
    client: Client = as_role(scene, Role.ONCALL)

    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert client.get(panel.url("live", scene.run_id)).status_code == 200
        return len(seen)

    queries()
    beside.verify_run(scene.run_id)
    few = queries()
    verified.damage(target, "UPDATE new_things SET body = 'x' || id", verified.EXTRA)
    beside.verify_run(scene.run_id)
    assert len(box(scene).differences) == 20
    assert queries() == few
    for number in range(40):
        VerificationBucket.objects.create(run_id=scene.run_id, lo=f"other {number}", rows=1)
        verification.record(scene.run_id, CLEAN, kind=TOUCHED)
        VerificationPass.objects.create(
            run_id=scene.run_id, number=100 + number, finished_at=scene.run.created_at
        )
    assert queries() == few


@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [
        ("a", "b", ("a", "b")),
        (None, "b", (None, "b")),
        ("x" * 1000 + "1", "x" * 1000 + "2", ("1 (1,001 characters)", "2 (1,001 characters)")),
        ("1" + "x" * 1000, "2" + "x" * 1000, ("1xx", "2xx")),
    ],
)
def test_long_values_are_cut_where_they_part(
    old: str | None, new: str | None, shown: tuple[str | None, str | None]
) -> None:
    example = {"kind": "different", "key": {"id": "1"}, "columns": ["body"], "source": {"body": old},
               "target": {"body": new}}  # fmt: skip
    cell = verification_rows.of([example])[0].cells[0]
    for value, wanted in zip((cell.source, cell.target), shown, strict=True):
        if wanted is None:
            assert value is None
        else:
            assert value is not None
            assert value.startswith(wanted) or value.endswith(wanted)
            assert len(value) < 300
