-- what:  how many bytes the rows of the two tables take, their partitions included.
-- why:   decides which part of a table is read to tell how many bars it has.
SELECT table_name,
       coalesce((SELECT sum(pg_relation_size(relid)) FROM pg_partition_tree(table_name::regclass)),
                pg_relation_size(table_name::regclass))::bigint
  FROM unnest(ARRAY['public.data_bars', 'public.derived_data_bars']) AS listed (table_name)
