"""Four eyes, and what a signature binds."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from migration_runs.exceptions import IllegalMove, NotAllowed, Refused, StalePlan, StepUpNeeded
from migration_runs.models import AuditEvent, PhaseRun, SignOff
from migration_runs.phases import Role
from migration_runs.services import gates, runs, sign_offs, step_up, verification
from migration_runs.services.evidence import Evidence
from migration_runs.services.step_up import StepUp
from tests import plans
from tests.control import CLEAN, EVIDENCE, HOW, PASSWORD, Scene, control_plan, make_person

pytestmark = pytest.mark.django_db


def refusals(scene: Scene) -> list[str]:
    """Rules of the refusals on record."""
    rows = AuditEvent.objects.filter(run_id=scene.run_id, action__startswith="refused.").order_by("seq")
    return [row.detail["rule"] for row in rows]


def test_author_never_approves_the_own_plan_though_he_is_an_approver() -> None:
    scene = Scene.draft()
    dora = make_person("dora", Role.DBA, Role.APPROVER)
    runs.submit_run(scene.run_id, person=dora, how=HOW)
    with pytest.raises(NotAllowed, match="who wrote a plan never approves it"):
        scene.sign(Role.APPROVER, person=dora)
    assert scene.run.state == "awaiting_approval"
    assert not SignOff.objects.filter(run_id=scene.run_id).exists()
    assert refusals(scene) == ["S2"]


def test_author_never_approves_the_cleanup() -> None:
    scene = Scene.at_phase(9)
    dora = make_person("dora", Role.DBA, Role.APPROVER)
    with pytest.raises(NotAllowed, match="who wrote a plan never approves it"):
        scene.sign(Role.APPROVER, gates.start_gate(9), person=dora)


def test_person_with_two_roles_signs_a_gate_once() -> None:
    scene = Scene.submitted(control_plan(approvals=["approver", "engineer"]))
    ada = make_person("ada", Role.APPROVER, Role.ENGINEER)
    scene.sign(Role.APPROVER, person=ada)
    with pytest.raises(NotAllowed, match="a person signs a gate once"):
        scene.sign(Role.ENGINEER, person=ada)
    assert scene.run.state == "awaiting_approval"
    scene.sign(Role.ENGINEER)
    assert scene.run.state == "approved"


def test_superuser_without_the_role_signs_nothing_and_starts_nothing() -> None:
    scene = Scene.submitted()
    root = make_person("root", superuser=True)
    with pytest.raises(NotAllowed, match="has no role"):
        scene.sign(Role.APPROVER, person=root)
    scene.sign(Role.APPROVER)
    with pytest.raises(NotAllowed, match="has no role"):
        scene.start(1, person=root)
    assert refusals(scene) == ["role", "role"]


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.APPROVER])
def test_wrong_role_approves_no_plan(role: Role) -> None:
    scene = Scene.submitted()
    with pytest.raises(NotAllowed):
        scene.sign(Role.APPROVER, person=scene.people[role])
    with pytest.raises(NotAllowed):
        scene.sign(role)
    assert scene.run.state == "awaiting_approval"


def test_signature_names_the_plan_that_was_read() -> None:
    scene = Scene.submitted()
    with pytest.raises(StalePlan, match="it has changed since it was read"):
        scene.sign(Role.APPROVER, digest="0" * 64)
    with pytest.raises(StalePlan):
        scene.sign(Role.APPROVER, digest="")


def test_signature_binds_plan_target_and_schema() -> None:
    scene = Scene.approved()
    signed = SignOff.objects.get(run_id=scene.run_id)
    assert signed.plan_digest == scene.run.plan_id
    assert (signed.target, signed.target_identity, signed.schema_digest) == (
        "bars", EVIDENCE.identity, EVIDENCE.schema,
    )  # fmt: skip
    assert signed.expires_at is not None


def test_signing_wants_the_own_password_and_a_fresh_one() -> None:
    scene = Scene.submitted()
    ada, olga = scene.people[Role.APPROVER], scene.people[Role.ONCALL]
    old = StepUp(person_id=ada.pk, at=timezone.now() - timedelta(minutes=6), how="password")
    for proof in (None, old, step_up.prove(olga, password=PASSWORD)):
        with pytest.raises(StepUpNeeded):
            scene.sign(Role.APPROVER, step_up=proof)
    with pytest.raises(NotAllowed, match="password is not right"):
        step_up.prove(ada, password="wrong")
    assert AuditEvent.objects.filter(action="refused.step_up", actor="ada").count() == 1
    assert scene.run.state == "awaiting_approval"


def test_approval_of_somebody_who_lost_the_role_is_void_at_the_gate() -> None:
    scene = Scene.approved()
    make_person("ada")  # no roles any more
    with pytest.raises(IllegalMove, match="ada no longer has the role approver"):
        scene.start(1)
    assert scene.run.state == "awaiting_approval"
    assert SignOff.objects.get(run_id=scene.run_id).void_at is not None


def test_somebody_else_signs_in_the_role_that_a_signer_has_lost() -> None:
    scene = Scene.at_phase(2)
    make_person("ada")
    runs.hold_run(scene.run_id, reason="ada has left", person=scene.people[Role.DBA], how=HOW)
    scene.sign(Role.APPROVER, person=make_person("alan", Role.APPROVER))
    first, second = SignOff.objects.filter(run_id=scene.run_id, gate="plan").order_by("id")
    assert first.void_reason == "ada no longer has the role approver"
    assert second.void_at is None
    runs.resume_run(scene.run_id, person=scene.people[Role.DBA], how=HOW)
    assert scene.run.state == "in_progress"


def test_approval_of_an_account_that_was_switched_off_is_void_at_the_gate() -> None:
    scene = Scene.approved()
    ada = scene.people[Role.APPROVER]
    ada.is_active = False
    ada.save()
    with pytest.raises(IllegalMove):
        scene.start(1)
    assert scene.run.state == "awaiting_approval"


def test_void_approval_holds_a_run_that_is_under_way_until_it_is_signed_again() -> None:
    scene = Scene.at_phase(2)
    make_person("ada")
    with pytest.raises(IllegalMove, match="no longer has the role"):
        scene.start(2)
    assert scene.run.state == "on_hold"
    dora = scene.people[Role.DBA]
    with pytest.raises(Refused, match="lacks the signature of approver"):
        runs.resume_run(scene.run_id, person=dora, how=HOW)
    anna = make_person("anna", Role.APPROVER)
    scene.sign(Role.APPROVER, person=anna)
    runs.resume_run(scene.run_id, person=dora, how=HOW)
    scene.start(2)
    assert scene.phase(2).state == "running"


def test_approval_expires() -> None:
    scene = Scene.submitted()
    signed = scene.sign(Role.APPROVER)
    SignOff.objects.filter(pk=signed.pk).update(void_at=timezone.now(), void_reason="replaced by the test")
    SignOff.objects.create(
        run=scene.run, gate="plan", role="approver", person=scene.people[Role.APPROVER],
        plan_digest=scene.run.plan_id, target="bars", approved=True,
        expires_at=timezone.now() - timedelta(seconds=1),
    )  # fmt: skip
    with pytest.raises(IllegalMove, match="it expired at"):
        scene.start(1)
    assert scene.run.state == "awaiting_approval"


def test_approval_does_not_expire_once_the_start_that_it_allows_has_happened() -> None:
    scene = Scene.at_phase(2)
    SignOff.objects.filter(gate="plan").update(void_at=timezone.now(), void_reason="replaced by the test")
    SignOff.objects.create(
        run=scene.run, gate="plan", role="approver", person=scene.people[Role.APPROVER],
        plan_digest=scene.run.plan_id, target="bars", approved=True,
        expires_at=timezone.now() - timedelta(seconds=1),
    )  # fmt: skip
    scene.start(2)
    assert scene.phase(2).state == "running"


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (Evidence(identity="8:other", schema=EVIDENCE.schema), "another database"),
        (Evidence(identity=EVIDENCE.identity, schema="b" * 64), "tables or functions have changed"),
    ],
)
def test_target_that_drifted_since_the_approval_is_not_started_on(found: Evidence, why: str) -> None:
    scene = Scene.approved()
    with pytest.raises(IllegalMove, match=why):
        scene.start(1, evidence=found)
    assert scene.run.state == "awaiting_approval"
    assert set(scene.states()) == {"pending"}


def test_cleanup_approval_is_void_when_the_schema_changed_after_it() -> None:
    scene = Scene.at_phase(9)
    verification.record(scene.run_id, CLEAN)
    scene.sign(Role.APPROVER, gates.start_gate(9))
    with pytest.raises(Refused, match="lacks the signature of approver"):
        scene.start(9, evidence=Evidence(identity=EVIDENCE.identity, schema="b" * 64))
    assert scene.phase(9).state == "ready"


DRIFTED = Evidence(identity=EVIDENCE.identity, schema="b" * 64)


def left_as_signed(scene: Scene, number: int) -> None:
    """What the worker found when it ended a phase: a schema like that of the tests' evidence."""
    PhaseRun.objects.filter(run_id=scene.run_id, number=number).update(schema_digest=EVIDENCE.schema)


def test_schema_that_others_changed_between_two_phases_holds_the_run_until_it_is_signed_again() -> None:
    scene = Scene.at_phase(5)
    left_as_signed(scene, 4)
    with pytest.raises(IllegalMove, match="have changed since the end of phase 4"):
        scene.start(5, evidence=DRIFTED)
    assert (scene.run.state, scene.run.hold_kind, scene.phase(5).state) == ("on_hold", "void", "ready")
    with pytest.raises(Refused, match="lacks the signature of approver"):
        runs.resume_run(scene.run_id, person=scene.people[Role.DBA], how=HOW)
    scene.sign(Role.APPROVER, evidence=DRIFTED)
    runs.resume_run(scene.run_id, person=scene.people[Role.DBA], how=HOW)
    scene.start(5, evidence=DRIFTED)
    assert scene.phase(5).state == "running"


def test_schema_that_the_runs_own_steps_changed_is_no_drift() -> None:
    scene = Scene.at_phase(5)
    PhaseRun.objects.filter(run_id=scene.run_id, number=4).update(schema_digest=DRIFTED.schema)
    scene.start(5, evidence=DRIFTED)
    assert scene.phase(5).state == "running"


def test_schema_put_back_to_what_was_signed_before_the_run_is_drift() -> None:
    scene = Scene.at_phase(5)
    PhaseRun.objects.filter(run_id=scene.run_id, number=4).update(schema_digest=DRIFTED.schema)
    with pytest.raises(IllegalMove, match="have changed since the end of phase 4"):
        scene.start(5)


def test_database_that_was_exchanged_under_a_run_is_not_worked_on() -> None:
    scene = Scene.at_phase(4)
    left_as_signed(scene, 3)
    other = Evidence(identity="7000000000000000001:bars", schema=EVIDENCE.schema)
    with pytest.raises(IllegalMove, match="another database than the one that the plan was approved for"):
        scene.start(4, evidence=other)
    assert scene.run.state == "on_hold"


def test_cleanup_binds_the_schema_that_monitoring_ended_with() -> None:
    """Approved after somebody changed the schema: the approval alone does not make that right."""
    scene = Scene.at_phase(9)
    left_as_signed(scene, 8)
    verification.record(scene.run_id, CLEAN)
    scene.sign(Role.APPROVER, gates.start_gate(9), evidence=DRIFTED)
    with pytest.raises(IllegalMove, match="have changed since the end of phase 8"):
        scene.start(9, evidence=DRIFTED)
    assert scene.phase(9).state == "ready"


def test_schema_that_changed_during_the_window_is_drift_though_its_phase_ended_with_it() -> None:
    """Phases 6 to 8 change no schema: what they end with has to be what they began with."""
    scene = Scene.at_phase(9)
    left_as_signed(scene, 7)
    PhaseRun.objects.filter(run_id=scene.run_id, number=8).update(schema_digest=DRIFTED.schema)
    verification.record(scene.run_id, CLEAN)
    scene.sign(Role.APPROVER, gates.start_gate(9), evidence=DRIFTED)
    with pytest.raises(IllegalMove, match="have changed since the end of phase 7"):
        scene.start(9, evidence=DRIFTED)


def test_schema_that_a_phases_own_sql_changed_is_the_next_expected_one() -> None:
    scene = Scene.at_phase(4, control_plan({3: [plans.sql_step("create", "SELECT 1")]}))
    left_as_signed(scene, 2)
    PhaseRun.objects.filter(run_id=scene.run_id, number=3).update(schema_digest=DRIFTED.schema)
    scene.start(4, evidence=DRIFTED)
    assert scene.phase(4).state == "running"


def test_target_that_cannot_be_asked_is_not_signed_for() -> None:
    scene = Scene.submitted()
    with pytest.raises(Refused, match="Target 'bars' cannot be asked"):
        scene.sign(Role.APPROVER, evidence=None)
    assert scene.run.state == "awaiting_approval"


def test_sent_back_plan_is_a_draft_with_a_comment_and_wants_every_signature_anew() -> None:
    scene = Scene.submitted(control_plan(approvals=["approver", "engineer"]))
    scene.sign(Role.ENGINEER)
    ada = scene.people[Role.APPROVER]
    with pytest.raises(Refused, match="needs a comment"):
        runs.send_back_run(scene.run_id, comment=" ", person=ada, how=HOW)
    runs.send_back_run(scene.run_id, comment="no rollback rehearsed", person=ada, how=HOW)
    assert scene.run.state == "draft"
    assert not SignOff.objects.filter(run_id=scene.run_id, void_at=None).exists()
    runs.submit_run(scene.run_id, person=scene.people[Role.DBA], how=HOW)
    scene.sign(Role.ENGINEER)
    scene.sign(Role.APPROVER)
    assert scene.run.state == "approved"


def test_refused_phase_fails_with_its_comment_and_is_signed_anew_after_the_retry() -> None:
    scene = Scene.at_phase(6)
    scene.start(6)
    scene.finish(6)
    scene.sign(Role.ENGINEER, "phase:6", approve=False, comment="check (b) looks at old rows")
    assert scene.phase(6).state == "failed"
    assert "check (b) looks at old rows" in scene.phase(6).error
    runs.retry_phase(scene.run_id, person=scene.people[Role.ENGINEER], how=HOW)
    scene.finish(6)
    scene.sign(Role.ENGINEER, "phase:6")
    assert scene.phase(6).state == "done"


def test_refused_start_of_the_cleanup_holds_the_run() -> None:
    scene = Scene.at_phase(9)
    scene.sign(Role.APPROVER, "start:9", approve=False, comment="wait for the month's end")
    assert scene.run.state == "on_hold"
    assert "wait for the month's end" in scene.run.hold_reason


def test_starter_of_the_deploy_does_not_close_it_alone() -> None:
    scene = Scene.at_phase(7)
    devi = make_person("devi", Role.DEVOPS, Role.ENGINEER)
    scene.start(7, person=devi)
    scene.finish(7)
    with pytest.raises(NotAllowed, match="somebody else has to sign it"):
        scene.sign(Role.ENGINEER, "phase:7", person=devi)
    scene.sign(Role.ENGINEER, "phase:7")
    assert scene.phase(7).state == "done"


def test_starts_of_deploy_and_cleanup_want_the_password_again() -> None:
    scene = Scene.at_phase(7)
    with pytest.raises(StepUpNeeded):
        scene.start(7, step_up=None)
    assert scene.phase(7).state == "ready"


def test_gate_that_is_not_open_is_not_signed() -> None:
    scene = Scene.at_phase(3)
    for gate in ("plan", "phase:2", "phase:3", "start:9", "phase:9"):
        with pytest.raises(Refused):
            scene.sign(Role.DBA if gate.startswith("phase") else Role.APPROVER, gate)
    with pytest.raises(Refused, match="There is no role 'king'"):
        sign_offs.sign(
            scene.run_id, role="king", digest=scene.run.plan_id, person=scene.people[Role.DBA], how=HOW
        )
    with pytest.raises(Refused, match="There is no gate"):
        scene.sign(Role.DBA, "phase:10")
    with pytest.raises(Refused, match="asks for no signature"):
        scene.sign(Role.DBA, "start:3")


def test_signing_a_phase_by_its_number_means_its_start_until_it_has_started() -> None:
    scene = Scene.at_phase(9)
    assert sign_offs.gate_of(scene.run_id, phase=None) == "plan"
    assert sign_offs.gate_of(scene.run_id, phase=9) == "start:9"
    assert sign_offs.gate_of(scene.run_id, phase=8) == "phase:8"


def test_refusal_changes_nothing_and_leaves_one_event_of_its_own() -> None:
    scene = Scene.submitted()
    before = AuditEvent.objects.count()
    with pytest.raises(NotAllowed):
        scene.sign(Role.APPROVER, person=scene.people[Role.AUDITOR])
    event = AuditEvent.objects.get(seq=before + 1)
    assert (event.action, event.actor, event.actor_how) == ("refused.sign", "udo", HOW)
    assert event.detail["rule"] == "role"
    assert AuditEvent.objects.count() == before + 1
