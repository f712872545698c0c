-- what: the columns of one table with their types, written so that they mean the same under any search path.
-- why: generated statements name types and defaults; identifiers come from here, never from a plan unchecked.
-- locks: none
-- timeout: the session's
-- undo: none: it reads
  WITH RECURSIVE base (attnum, type) AS (
        SELECT a.attnum, a.atttypid FROM pg_catalog.pg_attribute a
         WHERE a.attrelid = %(oid)s AND a.attnum > 0 AND NOT a.attisdropped
         UNION ALL
        SELECT b.attnum, t.typbasetype FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.type WHERE t.typtype = 'd')
SELECT a.attname::text AS name,
       pg_catalog.format_type(a.atttypid, -1) AS type,
       pg_catalog.format_type(b.type, -1) AS base_type,
       a.atttypmod AS typmod,
       a.attnotnull OR EXISTS (SELECT FROM pg_catalog.pg_type d WHERE d.oid = a.atttypid AND d.typnotnull) AS not_null,
       CASE WHEN a.attgenerated = '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END AS default,
       a.attgenerated <> '' AS generated,
       a.attidentity::text AS identity,
       bt.typtype::text AS kind,
       bt.typcategory = 'A' AS is_array,
       ns.nspname = 'pg_catalog' OR bt.typtype IN ('e') AS known,
       coalesce((SELECT NOT co.collisdeterministic FROM pg_catalog.pg_collation co WHERE co.oid = a.attcollation), false)
           AS loose_collation,
       EXISTS (SELECT FROM pg_catalog.pg_opclass oc
                 JOIN pg_catalog.pg_am am ON am.oid = oc.opcmethod AND am.amname = 'btree'
                WHERE oc.opcdefault
                  AND (oc.opcintype = bt.oid
                       OR (bt.typtype = 'e' AND oc.opcintype = 'anyenum'::regtype)
                       OR (bt.typtype = 'r' AND oc.opcintype = 'anyrange'::regtype)
                       OR (bt.typtype = 'm' AND oc.opcintype = 'anymultirange'::regtype)
                       OR (bt.typcategory = 'A' AND oc.opcintype = 'anyarray'::regtype)
                       OR (bt.oid = 'varchar'::regtype AND oc.opcintype = 'text'::regtype)
                       OR (bt.oid = 'cidr'::regtype AND oc.opcintype = 'inet'::regtype))) AS comparable
  FROM pg_catalog.pg_attribute a
  JOIN base b ON b.attnum = a.attnum
  JOIN pg_catalog.pg_type bt ON bt.oid = b.type AND bt.typtype <> 'd'
  JOIN pg_catalog.pg_namespace ns ON ns.oid = bt.typnamespace
  LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE a.attrelid = %(oid)s AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attnum
