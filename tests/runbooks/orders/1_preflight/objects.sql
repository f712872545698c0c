-- what: the tables and functions exist, the role may change them, and function calls are counted.
-- why: what is missing is better found before anything changes.
-- locks: none.
-- timeout: statement 5 s
-- undo: none needed, it reads only.
SELECT to_regclass(wanted.name) IS NOT NULL AS ok, format('table %s exists', wanted.name) AS message
  FROM (VALUES ('sales.order_line_old'), ('sales.order_line')) AS wanted (name)
UNION ALL
SELECT to_regprocedure(wanted.name) IS NOT NULL, format('function %s exists', wanted.name)
  FROM (VALUES ('sales.place_line(bigint, text, integer, numeric, text)'),
               ('sales.revenue(timestamptz, timestamptz)')) AS wanted (name)
UNION ALL
SELECT has_schema_privilege('sales', 'CREATE'), 'the role may create functions in schema sales'
UNION ALL
SELECT current_setting('track_functions') = 'all',
       format('track_functions: %s (must be all)', current_setting('track_functions'));
