-- what:  which bars components are connected to this database, by the name they give themselves.
-- why:   a deployment has arrived when the database sees it, not when somebody says so.
SELECT application_name, count(*)
  FROM pg_catalog.pg_stat_activity
 WHERE datname = current_database() AND application_name ~ '^bars-[a-z]+/'
 GROUP BY application_name
