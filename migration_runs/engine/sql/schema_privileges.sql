-- what: who may use, and create in, the schemas that a plan works in
-- why: a rehearsal is to meet the same refusals in the scratch database as in the target
-- locks: none
-- timeout: statement 5 s
-- undo: none: it only reads
SELECT n.nspname AS schema,
       CASE WHEN acl.grantee = 0 THEN NULL ELSE pg_catalog.pg_get_userbyid(acl.grantee) END AS grantee,
       acl.privilege_type AS privilege
  FROM pg_catalog.pg_namespace AS n
 CROSS JOIN LATERAL pg_catalog.aclexplode(
           coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner))) AS acl
 WHERE n.nspname = ANY (%(schemas)s::text[])
   AND acl.privilege_type IN ('USAGE', 'CREATE')
