-- what:  removes everything that bars_owner owns in this database.
-- why:   a load commits as it goes; one that was interrupted leaves a world without its end, which is loaded anew.
-- undo:  none: load again.
DROP OWNED BY bars_owner CASCADE
