-- What: the trigger functions that keep the control database's rules: legal moves of states, append-only tables,
--       fixed columns, the audit's chain.
-- Why: the services keep the same rules with better words; these hold against queryset.update() and raw SQL, for the app
--      role and for the owner alike. The triggers themselves are declared on the models.
-- Locks: catalog rows only.
-- Timeout: none needed.
-- Undo: guards_undo.sql.

-- Arguments: the initial state, then each legal move as 'from>to'.
CREATE FUNCTION phasegate_guard_state() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $guard$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> TG_ARGV[0] THEN
            RAISE EXCEPTION USING
                ERRCODE = 'check_violation',
                MESSAGE = format('a new row of %s starts as %s, not as %s', TG_TABLE_NAME, TG_ARGV[0], NEW.state);
        END IF;
    ELSIF OLD.state <> NEW.state AND NOT (OLD.state || '>' || NEW.state) = ANY (TG_ARGV[1:]) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'check_violation',
            MESSAGE = format('%s %s cannot move from %s to %s', TG_TABLE_NAME, OLD.id, OLD.state, NEW.state);
    END IF;
    RETURN NEW;
END
$guard$;

-- Arguments: a state ('' for any), then the columns that do not change once the row has left that state.
CREATE FUNCTION phasegate_guard_fixed() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $guard$
DECLARE
    before jsonb := to_jsonb(OLD);
    after jsonb := to_jsonb(NEW);
    changed text;
BEGIN
    IF TG_ARGV[0] <> '' AND before ->> 'state' = TG_ARGV[0] THEN
        RETURN NEW;
    END IF;
    SELECT string_agg(name, ', ') INTO changed
    FROM unnest(TG_ARGV[1:]) AS fixed (name)
    WHERE before -> name IS DISTINCT FROM after -> name;
    IF changed IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'check_violation',
            MESSAGE = format('%s of %s %s cannot be changed any more', changed, TG_TABLE_NAME, before ->> 'id');
    END IF;
    RETURN NEW;
END
$guard$;

-- Arguments: columns that may go from NULL or '' to a value, once; everything else stays as it was inserted.
CREATE FUNCTION phasegate_guard_append_only() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $guard$
DECLARE
    before jsonb;
    after jsonb;
BEGIN
    IF TG_OP = 'UPDATE' AND TG_NARGS > 0 THEN
        before := to_jsonb(OLD);
        after := to_jsonb(NEW);
        IF before - TG_ARGV[0:] = after - TG_ARGV[0:]
            AND NOT EXISTS (
                SELECT FROM unnest(TG_ARGV[0:]) AS void (name)
                WHERE coalesce(before ->> name, '') <> '' AND before -> name IS DISTINCT FROM after -> name
            )
        THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION USING
        ERRCODE = 'check_violation',
        MESSAGE = format('%s is append-only: %s refused', TG_TABLE_NAME, TG_OP);
END
$guard$;

CREATE FUNCTION phasegate_guard_refuse() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $guard$
BEGIN
    RAISE EXCEPTION USING
        ERRCODE = 'check_violation',
        MESSAGE = format('%s refused on %s: what a run did is kept', TG_OP, TG_TABLE_NAME);
END
$guard$;

-- Writers are serialised by the service's advisory lock; this refuses whoever writes without it, or forges a link.
CREATE FUNCTION phasegate_guard_audit_chain() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $guard$
DECLARE
    last_seq bigint;
    last_hash text;
BEGIN
    EXECUTE format('SELECT seq, hash FROM %I.%I ORDER BY seq DESC LIMIT 1', TG_TABLE_SCHEMA, TG_TABLE_NAME)
        INTO last_seq, last_hash;
    IF NEW.seq <> coalesce(last_seq, 0) + 1 OR NEW.prev_hash <> coalesce(last_hash, '') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'check_violation',
            MESSAGE = format('audit event %s does not follow event %s', NEW.seq, coalesce(last_seq, 0));
    END IF;
    RETURN NEW;
END
$guard$;
