-- what: what the catalog says of one table: kind, owner's rights, row security, identity.
-- why: the protocol must see every row of an ordinary table and put triggers on it, or refuse with the reason.
-- locks: none
-- timeout: the session's
-- undo: none: it reads
SELECT c.oid::bigint AS oid,
       c.relkind::text AS relkind,
       c.relispartition AS is_partition,
       EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid) AS has_children,
       EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid) AS is_child,
       pg_catalog.pg_has_role(c.relowner, 'USAGE') AS owned,
       pg_catalog.pg_get_userbyid(c.relowner)::text AS owner,
       pg_catalog.row_security_active(c.oid) AS rows_hidden,
       coalesce((SELECT array_agg(a.attname::text ORDER BY k.n)
                   FROM pg_catalog.pg_index i
                  CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (attnum, n)
                   JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
                  WHERE i.indrelid = c.oid AND i.indisprimary), '{}') AS primary_key,
       coalesce((SELECT array_agg(t.tgname::text ORDER BY t.tgname)
                   FROM pg_catalog.pg_trigger t
                  WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgtype & 3 = 3
                    AND t.tgtype & 20 <> 0), '{}') AS before_row_triggers
  FROM pg_catalog.pg_class c
 WHERE c.oid = to_regclass(%(name)s)
