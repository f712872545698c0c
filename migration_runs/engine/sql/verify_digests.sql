-- what: the number of rows of each side, and the sum of their 64-bit hashes in every mapped column.
-- why: two sides with equal rows have equal digests; a digest that is kept says later what was compared. A sum, since an
--      exclusive or would cancel rows that are there twice.
-- locks: ACCESS SHARE on both tables.
-- timeout: the comparison's.
-- undo: none: it reads.
SELECT s.number, s.digest, t.number, t.digest
  FROM (SELECT count(*) AS number, coalesce(sum(hash_record_extended(ROW({columns}), 0)), 0)::text AS digest
          FROM ({source_side}) AS c) AS s,
       (SELECT count(*) AS number, coalesce(sum(hash_record_extended(ROW({columns}), 0)), 0)::text AS digest
          FROM ({target_side}) AS c) AS t
