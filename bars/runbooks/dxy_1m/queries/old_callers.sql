-- what: sessions whose statement names the old function.
-- why: phase 7 ends only when nobody calls it any more.
-- locks: none.
-- timeout: statement 10 s
-- undo: none needed, it reads only.
SELECT usename, application_name, count(*)
  FROM pg_stat_activity
 WHERE query LIKE '%calc_dxy_range_derived%' AND pid <> pg_backend_pid()
 GROUP BY usename, application_name;
