-- what: the tables of one run for one move: keys to look at again, keys to compare again, source rows retired, target rows
--       found at the start.
-- why: their keys have the columns' own types, so that they are found by index however large the tables are.
-- locks: none on other tables
-- timeout: the session's
-- undo: DROP TABLE, when the run is sealed
CREATE TABLE IF NOT EXISTS {touched} (
    id   bigserial PRIMARY KEY,
    side text NOT NULL CHECK (side IN ('source', 'target')),
    at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    {key_columns}
);
CREATE INDEX IF NOT EXISTS {touched_index} ON {touched} ({keys}, id);
CREATE TABLE IF NOT EXISTS {dirty} (
    {key_columns},
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    PRIMARY KEY ({keys})
);
CREATE TABLE IF NOT EXISTS {gone} (
    id    bigserial PRIMARY KEY,
    at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    {key_columns},
    {identity_columns},
    image jsonb
);
CREATE INDEX IF NOT EXISTS {gone_index} ON {gone} ({keys}, id);
CREATE INDEX IF NOT EXISTS {gone_identity_index} ON {gone} ({identities});
CREATE TABLE IF NOT EXISTS {before} (
    {key_columns},
    image jsonb,
    PRIMARY KEY ({keys})
)
