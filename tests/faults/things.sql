-- What: the small world of the fault tests: things in an old table with soft delete, a new table, writers and a reader.
-- Why: the smallest world that has everything a run touches: a scope, a partial unique index, a reader that would count
--      twice, functions whose calls can be counted, rows that are none of the run's business, and doors (gate) at which a
--      test can hold a worker inside a statement.
-- Locks: none that anybody waits for; the database is new.
-- Timeout: none needed.
-- Undo: DROP DATABASE.
CREATE TABLE public.things_old (
    id         bigserial PRIMARY KEY,
    kind       text NOT NULL DEFAULT 'thing',
    n          bigint NOT NULL,
    body       text NOT NULL,
    deleted_at timestamptz
);
CREATE UNIQUE INDEX things_old_active ON public.things_old (kind, n) WHERE deleted_at IS NULL;

CREATE TABLE public.things_new (
    kind   text NOT NULL,
    n      bigint NOT NULL,
    body   text NOT NULL,
    origin text NOT NULL,
    PRIMARY KEY (kind, n)
);

CREATE TABLE public.effects (
    id   bigserial PRIMARY KEY,
    what text NOT NULL
);

-- A door: whoever calls it waits while a test holds the lock of that name, and goes through at once otherwise.
CREATE FUNCTION public.gate(p_door text) RETURNS boolean
    LANGUAGE plpgsql
    SET lock_timeout = '10min'
AS $function$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(4711, hashtext(p_door));
    RETURN true;
END
$function$;

-- A door inside the copy and inside its undo: one row of history passes through it.
CREATE FUNCTION public.gate_of_row() RETURNS trigger
    LANGUAGE plpgsql
AS $function$
BEGIN
    PERFORM public.gate(TG_ARGV[0]);
    RETURN coalesce(NEW, OLD);
END
$function$;
CREATE TRIGGER gate_insert BEFORE INSERT ON public.things_new
    FOR EACH ROW WHEN (NEW.n = 150) EXECUTE FUNCTION public.gate_of_row('copy');
CREATE TRIGGER gate_delete BEFORE DELETE ON public.things_new
    FOR EACH ROW WHEN (OLD.n = 150) EXECUTE FUNCTION public.gate_of_row('uncopy');

CREATE FUNCTION public.put_old(p_n bigint, p_body text) RETURNS boolean
    LANGUAGE plpgsql
AS $function$
BEGIN
    INSERT INTO public.things_old (n, body) VALUES (p_n, p_body)
        ON CONFLICT (kind, n) WHERE deleted_at IS NULL DO UPDATE SET body = excluded.body;
    RETURN true;
END
$function$;

-- The old reader adds both tables up, as long as a thing is in one of them alone.
CREATE FUNCTION public.things_seen() RETURNS TABLE (n bigint, body text)
    LANGUAGE sql STABLE
AS $function$
    SELECT o.n, o.body FROM public.things_old AS o WHERE o.kind = 'thing' AND o.deleted_at IS NULL
    UNION ALL
    SELECT t.n, t.body FROM public.things_new AS t WHERE t.kind = 'thing'
$function$;

INSERT INTO public.things_old (n, body) SELECT n, 'history ' || n FROM generate_series(1, 600) AS n;
INSERT INTO public.things_old (kind, n, body) SELECT 'other', n, 'not ours ' || n FROM generate_series(1, 50) AS n;
INSERT INTO public.things_old (n, body, deleted_at) SELECT n, 'withdrawn ' || n, '2026-01-02 03:04+00' FROM generate_series(1, 20) AS n;
INSERT INTO public.things_new (kind, n, body, origin)
SELECT 'other', n, 'somebody else''s ' || n, 'elsewhere' FROM generate_series(1, 50) AS n;
ANALYZE public.things_old, public.things_new;
