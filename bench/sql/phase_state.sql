-- what: the state of a phase in the control database
-- why: asked again and again until the phase is over; what asking takes is part of what is measured
-- locks: none
-- timeout: none needed
-- undo: none: it only reads
SELECT state FROM migration_runs_phaserun WHERE id = %(phase)s
