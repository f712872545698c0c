-- what: forgets one run: its rows in the ledger's tables.
-- why: a sealed run can no longer be rolled back, so its before-images have no use.
-- locks: the run's rows
-- timeout: statement 60 s
-- undo: none: sealing is what ends the time in which undo is possible
WITH steps AS (DELETE FROM phasegate.step WHERE run_id = {run_id}),
     images AS (DELETE FROM phasegate.before_image WHERE run_id = {run_id}),
     chunks AS (DELETE FROM phasegate.chunk WHERE run_id = {run_id}),
     rows AS (DELETE FROM phasegate.row_image WHERE run_id = {run_id}),
     mirrors AS (DELETE FROM phasegate.mirror WHERE run_id = {run_id})
SELECT
