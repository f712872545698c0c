-- what: the session reaches a writable primary, in UTF-8, in UTC, at a version that the plan was written for.
-- why: on a standby or a read-only server the run would stop half-way; another time zone shifts every comparison
--   of times by hours without an error.
-- locks: none.
-- timeout: statement 5 s
-- undo: none needed, it reads only.
SELECT NOT pg_is_in_recovery() AS ok,
       format('in recovery: %s (must be false)', pg_is_in_recovery()) AS message
UNION ALL
SELECT current_setting('default_transaction_read_only') = 'off',
       format('default_transaction_read_only: %s (must be off)', current_setting('default_transaction_read_only'))
UNION ALL
SELECT current_setting('TimeZone') = 'UTC',
       format('TimeZone of this session: %s (must be UTC)', current_setting('TimeZone'))
UNION ALL
SELECT current_setting('server_encoding') = 'UTF8',
       format('server encoding: %s (must be UTF8)', current_setting('server_encoding'))
UNION ALL
SELECT current_setting('server_version_num')::int >= 140000,
       format('server version: %s (must be 14 or newer)', current_setting('server_version'))
UNION ALL
SELECT current_setting('session_replication_role') = 'origin',
       format('session_replication_role: %s (must be origin)', current_setting('session_replication_role'));
