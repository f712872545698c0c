-- what: the ledger of runs on this database: schema phasegate and its tables.
-- why: what was applied is known where it was applied, in the same transaction, whatever happens to the panel.
-- locks: none on other tables; an advisory lock keeps two first runs apart.
-- timeout: lock 5 s, statement 30 s
-- undo: DROP SCHEMA phasegate, when the last run is sealed.
CREATE SCHEMA IF NOT EXISTS phasegate;
REVOKE ALL ON SCHEMA phasegate FROM PUBLIC;

CREATE TABLE IF NOT EXISTS phasegate.run (
    run_id     uuid PRIMARY KEY,
    slug       text NOT NULL,
    digest     text NOT NULL,
    token      bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE IF NOT EXISTS phasegate.step (
    run_id      uuid NOT NULL REFERENCES phasegate.run (run_id),
    phase       smallint NOT NULL,
    step_key    text NOT NULL,
    position    bigint GENERATED ALWAYS AS IDENTITY,
    state       text NOT NULL CHECK (state IN ('intent', 'applied', 'undoing', 'undone')),
    token       bigint NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    details     jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (run_id, phase, step_key)
);

CREATE TABLE IF NOT EXISTS phasegate.before_image (
    run_id   uuid NOT NULL REFERENCES phasegate.run (run_id),
    phase    smallint NOT NULL,
    step_key text NOT NULL,
    image    jsonb NOT NULL,
    taken_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (run_id, phase, step_key)
);

CREATE TABLE IF NOT EXISTS phasegate.chunk (
    run_id    uuid NOT NULL REFERENCES phasegate.run (run_id),
    n         bigint NOT NULL,
    lo        text,
    hi        text,
    state     text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'done')),
    rows      bigint NOT NULL DEFAULT 0,
    inserted  bigint NOT NULL DEFAULT 0,
    different bigint NOT NULL DEFAULT 0,
    ms        double precision NOT NULL DEFAULT 0,
    token     bigint NOT NULL DEFAULT 0,
    done_at   timestamptz,
    PRIMARY KEY (run_id, n)
);
CREATE INDEX IF NOT EXISTS chunk_pending ON phasegate.chunk (run_id, n) WHERE state = 'pending';

CREATE TABLE IF NOT EXISTS phasegate.row_image (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id   uuid NOT NULL REFERENCES phasegate.run (run_id),
    kind     text NOT NULL,
    key      jsonb NOT NULL,
    image    jsonb,
    taken_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX IF NOT EXISTS row_image_of_run ON phasegate.row_image (run_id, kind, id);
CREATE INDEX IF NOT EXISTS row_image_by_key ON phasegate.row_image USING hash (key);

CREATE TABLE IF NOT EXISTS phasegate.mirror (
    run_id    uuid NOT NULL REFERENCES phasegate.run (run_id),
    direction text NOT NULL CHECK (direction IN ('forward', 'reverse')),
    mode      text NOT NULL,
    since     timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (run_id, direction)
);
