-- what: add the CHECK without looking at existing rows; the next step validates it.
-- why: looking at every row under the strongest lock would stop the feed for as long as that takes.
-- locks: ACCESS EXCLUSIVE on data_bars, for the moment of the change.
-- timeout: lock 200 ms, statement 5 s
-- undo: synthetic_check_undo.sql drops the CHECK.
ALTER TABLE public.data_bars
    ADD CONSTRAINT data_bars_synthetic_complete
    CHECK (source <> 'synthetic'
           OR (open IS NOT NULL AND high IS NOT NULL AND low IS NOT NULL AND close IS NOT NULL AND raw ? 'kind'))
    NOT VALID;
