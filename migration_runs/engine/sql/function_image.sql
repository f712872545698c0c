-- what: everything that CREATE OR REPLACE, GRANT, OWNER and COMMENT may change of one function
-- why: a step that replaces a function is undone from this image, to the letter
-- locks: none
-- timeout: statement 5 s
-- undo: none: it only reads
SELECT pg_catalog.pg_get_functiondef(p.oid) AS definition,
       CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END AS kind,
       p.oid::pg_catalog.regprocedure::text AS name,
       pg_catalog.pg_get_userbyid(p.proowner) AS owner,
       pg_catalog.obj_description(p.oid, 'pg_proc') AS comment,
       (SELECT coalesce(jsonb_agg(jsonb_build_object(
                   'grantee', CASE WHEN acl.grantee = 0 THEN NULL
                                   ELSE pg_catalog.pg_get_userbyid(acl.grantee) END,
                   'grantable', acl.is_grantable) ORDER BY acl.grantee), '[]'::jsonb)
          FROM pg_catalog.aclexplode(coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))) AS acl
         WHERE acl.privilege_type = 'EXECUTE') AS execute
  FROM pg_catalog.pg_proc AS p
 WHERE p.oid = pg_catalog.to_regprocedure(%(signature)s)
