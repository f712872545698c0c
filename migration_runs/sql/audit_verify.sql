-- What: of the next stretch of the audit trail: how many events, the last one's number and hash, the first event that
--       does not follow the one before it, by number and by prev_hash, and events whose hash is not shown to be theirs.
-- Why: reading a trail of years out, to hash it elsewhere, takes longer than all the rest. The text that a hash is over is
--      put together here for details without objects, lists of lists and unusual numbers in them; an event with such
--      details comes back as not shown, and the caller computes its hash. What is put together is JSON with the event's very
--      values, so that it is never right for an event that was changed.
-- Locks: ACCESS SHARE on the trail.
-- Timeout: the session's.
-- Undo: none: it reads.
WITH stretch AS (
    SELECT seq, at, run_id, actor, actor_how, action, object, detail, prev_hash, hash
      FROM migration_runs_auditevent
     WHERE seq > %(after)s
     ORDER BY seq
     LIMIT %(events)s
), details AS (
    SELECT stretch.seq,
           '{' || coalesce(string_agg(
               to_json(part.key)::text || ':' || CASE WHEN jsonb_typeof(part.value) = 'array'
                   THEN '[' || coalesce((SELECT string_agg(item::text, ',' ORDER BY place)
                                           FROM jsonb_array_elements(part.value) WITH ORDINALITY AS items (item, place)), '') || ']'
                   ELSE part.value::text END,
               ',' ORDER BY part.key COLLATE "C"), '') || '}' AS text
      FROM stretch
      LEFT JOIN LATERAL jsonb_each(CASE WHEN jsonb_typeof(stretch.detail) = 'object' THEN stretch.detail END) AS part ON true
     GROUP BY stretch.seq
), judged AS (
    SELECT seq, hash,
           seq <> lag(seq, 1, %(seq)s::bigint) OVER in_order + 1 AS gap,
           prev_hash <> lag(hash::text, 1, %(hash)s::text) OVER in_order AS torn,
           hash = encode(sha256(convert_to(
               '{"action":' || to_json(action)::text || ',"actor":' || to_json(actor)::text
               || ',"actor_how":' || to_json(actor_how)::text
               || ',"at":"' || to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')
               || '","detail":'
               || CASE WHEN jsonb_typeof(detail) = 'object' THEN details.text END
               || ',"object":' || to_json(object)::text || ',"prev_hash":"' || prev_hash
               || '","run":' || coalesce(run_id::text, 'null') || ',"seq":' || seq || '}', 'UTF8')), 'hex') AS shown
      FROM stretch JOIN details USING (seq)
    WINDOW in_order AS (ORDER BY seq)
)
SELECT count(*),
       max(seq),
       (array_agg(hash ORDER BY seq DESC))[1],
       min(seq) FILTER (WHERE gap),
       min(seq) FILTER (WHERE torn),
       coalesce(array_agg(seq ORDER BY seq) FILTER (WHERE shown IS NOT TRUE), '{}')
  FROM judged
