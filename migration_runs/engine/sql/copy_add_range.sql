-- what: a range that is left to copy; `rows` is how many rows it is expected to have.
-- why: what is left is known from the ledger alone, whoever dies.
-- locks: ROW EXCLUSIVE on the ledger's chunks.
-- timeout: the session's.
-- undo: rolled back with its transaction.
INSERT INTO phasegate.chunk (run_id, n, lo, hi, state, rows) VALUES ({run_id}, {n}, {lo}, {hi}, 'pending', {rows})
