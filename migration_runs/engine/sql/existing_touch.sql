-- what: puts every key that the target held before the run on the list of keys to look at again.
-- why: such rows may be wrong or extra; the drain makes them what the source says, and their images are kept. A row that
--      the application writes into the target after they were remembered has no image: it stays, and verification says so.
-- locks: none on the application's tables
-- timeout: the step's
-- undo: none needed: it is the run's own table
INSERT INTO {touched} (side, {keys})
SELECT 'source', {keys} FROM {before}
