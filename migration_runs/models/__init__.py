"""What the control database keeps, one noun per file. Only services write it."""

from migration_runs.models.adjustment import Adjustment
from migration_runs.models.assignment import Assignment
from migration_runs.models.audit_event import AuditEvent
from migration_runs.models.confirmation import Confirmation
from migration_runs.models.due_check import DueCheck
from migration_runs.models.fleet_pulse import FleetPulse
from migration_runs.models.handover_card import HandoverCard
from migration_runs.models.handover_note import HandoverNote
from migration_runs.models.lesson import Lesson
from migration_runs.models.log_line import LogLine
from migration_runs.models.look_trouble import LookTrouble
from migration_runs.models.monitoring_window import MonitoringWindow
from migration_runs.models.notification import Notification
from migration_runs.models.phase_run import PhaseRun
from migration_runs.models.readiness_tick import ReadinessTick
from migration_runs.models.run import Run
from migration_runs.models.sign_off import SignOff
from migration_runs.models.step_run import StepRun
from migration_runs.models.stored_plan import StoredPlan
from migration_runs.models.trail_reading import TrailReading
from migration_runs.models.verification_bucket import VerificationBucket
from migration_runs.models.verification_pass import VerificationPass
from migration_runs.models.verification_report import VerificationReport

__all__ = [
    "Adjustment",
    "Assignment",
    "AuditEvent",
    "Confirmation",
    "DueCheck",
    "FleetPulse",
    "HandoverCard",
    "HandoverNote",
    "Lesson",
    "LogLine",
    "LookTrouble",
    "MonitoringWindow",
    "Notification",
    "PhaseRun",
    "ReadinessTick",
    "Run",
    "SignOff",
    "StepRun",
    "StoredPlan",
    "TrailReading",
    "VerificationBucket",
    "VerificationPass",
    "VerificationReport",
]
