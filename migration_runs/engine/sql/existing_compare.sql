-- what: how many target rows in scope are not what the source says, and the first of them.
-- why: such rows were written by somebody; a run that may not overwrite them must not begin.
-- locks: ACCESS SHARE on both tables
-- timeout: the step's
-- undo: none: it reads
SELECT count(*), (array_agg(key ORDER BY key))[1:5]
  FROM (SELECT {key_text} AS key
          FROM {target} AS t
          LEFT JOIN {source} AS s ON {join} AND {source_rows}
         WHERE {target_scope} AND ({source_here} IS NULL OR NOT {equal})) AS found
