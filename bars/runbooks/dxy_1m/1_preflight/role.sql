-- what: the role may do what the plan does, and is no superuser.
-- why: a missing privilege is better found now than in the middle of a phase; a superuser would not notice one.
-- locks: none.
-- timeout: statement 5 s
-- undo: none needed, it reads only.
SELECT NOT me.rolsuper AS ok,
       format('role %s: superuser = %s (must be false)', me.rolname, me.rolsuper) AS message
  FROM pg_catalog.pg_roles AS me
 WHERE me.rolname = current_user
UNION ALL
SELECT pg_has_role('pg_read_all_stats', 'USAGE'),
       format('role %s: sees the statistics of all sessions = %s (GRANT pg_read_all_stats)',
              current_user, pg_has_role('pg_read_all_stats', 'USAGE'))
UNION ALL
SELECT has_database_privilege(current_database(), 'CREATE'),
       format('role %s: may create a schema in database %s = %s (GRANT CREATE ON DATABASE)',
              current_user, current_database(), has_database_privilege(current_database(), 'CREATE'))
UNION ALL
SELECT has_schema_privilege('public', 'CREATE'),
       format('role %s: may create functions in schema public = %s (GRANT CREATE ON SCHEMA)',
              current_user, has_schema_privilege('public', 'CREATE'))
UNION ALL
SELECT pg_has_role(relation.relowner, 'USAGE'),
       format('role %s: owns %s, or is a member of its owner %s = %s', current_user, relation.relname,
              pg_get_userbyid(relation.relowner), pg_has_role(relation.relowner, 'USAGE'))
  FROM pg_catalog.pg_class AS relation
 WHERE relation.relnamespace = 'public'::regnamespace
   AND relation.relkind = 'r'
   AND relation.relname IN ('data_bars', 'derived_data_bars', 'core_asset_registry_all')
UNION ALL
SELECT pg_has_role(routine.proowner, 'USAGE'),
       format('role %s: owns function %s, or is a member of its owner = %s', current_user,
              routine.oid::regprocedure, pg_has_role(routine.proowner, 'USAGE'))
  FROM pg_catalog.pg_proc AS routine
 WHERE routine.pronamespace = 'public'::regnamespace
   AND routine.proname IN ('aggregate_1m_to_5m_range', 'agg_bootstrap_cursor', 'calc_dxy_range_derived',
                           'signal_bars');
