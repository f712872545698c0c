"""The standby that other tests look at: it streams, lags while told to, and leaves nothing behind."""

from __future__ import annotations

import psycopg

from controlpanel import embedded
from controlpanel.embedded_databases import TargetUrls
from tests import standby

SEEN = "SELECT count(*) FROM public.seen"


def test_a_standby_follows_lags_while_told_to_and_is_gone_afterwards(
    cluster: embedded.Cluster, target: TargetUrls
) -> None:
    with psycopg.connect(target.owner_url, autocommit=True) as conn, standby.of(cluster) as following:
        conn.execute("CREATE TABLE public.seen (n int)")
        conn.execute("INSERT INTO public.seen VALUES (1)")
        following.caught_up()
        with following.connect(target.dbname) as there:
            assert there.execute(SEEN).fetchone() == (1,)
            following.pause_replay()
            conn.execute("INSERT INTO public.seen VALUES (2)")
            assert there.execute(SEEN).fetchone() == (1,)
            following.resume_replay()
            following.caught_up()
            assert there.execute(SEEN).fetchone() == (2,)
    with psycopg.connect(cluster.superuser_dsn()) as conn:
        assert conn.execute("SELECT count(*) FROM pg_replication_slots").fetchone() == (0,)
