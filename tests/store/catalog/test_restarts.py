# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL goes away between and during calls, and comes back; nothing is lost or done twice."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError
from tests.services.postgres import PASSWORD, Server
from tests.store.catalog.actors import Troupe
from tests.store.catalog.builders import ACCEPT, asset, description, ids, lease, listing, page
from tests.store.catalog.test_processes import check_consistency

from speechmill.core.errors import WorkspaceError
from speechmill.store.catalog import Attempt, Catalog, EgressState


@pytest.fixture
def kept(postgres: Server) -> Iterator[Catalog]:
    with Catalog.open(postgres.new_database()) as catalog:
        yield catalog


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_restart_between_calls_goes_unnoticed(postgres: Server, kept: Catalog, mode: str) -> None:
    listing(kept, "a", "b")
    postgres.restart(mode)
    assert ids(lease(kept)) == ["a"]
    postgres.restart(mode)
    assert kept.counts(["q"]).jobs == {"leased": 1, "ready": 1}


def test_a_call_waits_for_a_server_that_is_away(postgres: Server, kept: Catalog) -> None:
    listing(kept, "a")
    postgres.stop()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lease, kept)
        time.sleep(0.3)
        assert not waiting.done()
        postgres.start()
        assert ids(waiting.result(120)) == ["a"]


def test_a_server_that_stays_away_is_named_without_its_password(postgres: Server, kept: Catalog) -> None:
    kept._database.patience_s = 0.2
    postgres.stop()
    try:
        with pytest.raises(WorkspaceError) as caught:
            kept.counts(["q"])
    finally:
        postgres.start()
    assert "refused" in str(caught.value)
    assert f"127.0.0.1:{postgres.port}" in str(caught.value)
    assert PASSWORD not in str(caught.value)


def test_a_transaction_cut_in_its_middle_runs_again_from_its_start(postgres: Server, kept: Catalog) -> None:
    listing(kept, "a")
    tries: list[int] = []

    def work(connection) -> int:  # type: ignore[no-untyped-def]
        tries.append(1)
        connection.execute(text("INSERT INTO budgets (platform) VALUES ('youtube')"))
        if len(tries) == 1:
            postgres.crash()
        return len(connection.execute(text("SELECT * FROM budgets")).all())

    assert kept._database.write(work) == 1
    assert len(tries) == 2


def test_what_a_vanished_crawler_has_locked_is_free_again(kept: Catalog) -> None:
    """Its transaction is idle; the server ends it (after 30 s; here sooner)."""
    kept.save_egress([EgressState("a", "youtube")])
    with kept._database._engine.connect() as vanished:
        vanished.execute(text("SELECT * FROM egress FOR UPDATE"))
        vanished.execute(text("SET idle_in_transaction_session_timeout = '200ms'"))  # last: it is idle from here on
        kept.save_egress([EgressState("a", "youtube", failures=1)])
        with pytest.raises(DBAPIError, match="idle-in-transaction"):
            vanished.execute(text("SELECT 1"))
    assert kept.egress("youtube")["a"].failures == 1


def test_a_connection_may_not_idle_in_a_transaction(kept: Catalog) -> None:
    show = text("SHOW idle_in_transaction_session_timeout")
    assert kept._database.read(lambda connection: connection.scalar(show)) == "30s"


def deadlocked(kept: Catalog, first: str, second: str, both: threading.Barrier) -> None:
    tries: list[int] = []

    def work(connection) -> None:  # type: ignore[no-untyped-def]
        tries.append(1)
        lock = text("SELECT * FROM egress WHERE name = :name FOR UPDATE")
        connection.execute(lock, {"name": first})
        if len(tries) == 1:
            both.wait(60)
        connection.execute(lock, {"name": second})

    kept._database.write(work)


def test_two_that_wait_for_each_other_both_come_through(kept: Catalog) -> None:
    kept.save_egress([EgressState("a", "youtube"), EgressState("b", "youtube")])
    both = threading.Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(deadlocked, kept, "a", "b", both)
        other = pool.submit(deadlocked, kept, "b", "a", both)
        one.result(120)
        other.result(120)


def cut_at_commit(kept: Catalog, *, after: bool) -> None:
    """Break the next COMMIT's connection off: before the server hears of it, or before its answer is heard."""
    engine = kept._database._engine
    dialect_commit = engine.dialect.do_commit

    def commit(connection) -> None:  # type: ignore[no-untyped-def]
        engine.dialect.do_commit = dialect_commit  # type: ignore[method-assign]
        if after:
            dialect_commit(connection)
        connection.dbapi_connection.close()
        dialect_commit(connection)

    engine.dialect.do_commit = commit  # type: ignore[method-assign]


WRITES: dict[str, Callable[[Catalog], object]] = {
    "save_page": lambda catalog: catalog.save_page("q", page("c", "d"), {}, 0.0),
    "lease": lambda catalog: ids(lease(catalog)),
    "spend": lambda catalog: catalog.spend("youtube", 10, 4, 0.0).granted,
    "refund": lambda catalog: catalog.refund("youtube", 1, 0.0),
    "attempt": lambda catalog: catalog.attempt([Attempt(1, "visit", "direct", 0.0, 1.0, 2, 3)]),
    "failed": lambda catalog: catalog.failed("me", 1, "net", "timeout", "", 0.0, 50.0),
    "import": lambda catalog: catalog.import_archive([("youtube", "z")], 0.0),
}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_what_a_broken_commit_did_is_not_done_twice(kept: Catalog, after: bool) -> None:
    listing(kept, "a", "b")
    lease(kept)
    kept.described("me", 1, description("a"), ACCEPT, 0.0)
    kept.spend("youtube", 10, 2, 0.0)
    results = {}
    for name, write in WRITES.items():
        cut_at_commit(kept, after=after)
        results[name] = write(kept)
    assert results == {
        "save_page": 2,
        "lease": ["b"],
        "spend": 4,
        "refund": None,
        "attempt": None,
        "failed": None,
        "import": 1,
    }
    assert kept.spent("youtube", 0.0) == 5
    assert kept.costs(["q"])[0].attempts == 1
    assert [job.failures for job in lease(kept, 9, now=60.0)] == [0, 0, 1]


def test_a_commit_that_is_still_going_on_is_waited_for(postgres: Server, kept: Catalog) -> None:
    """Its row is locked by the backend that works on it: the check comes after it, not beside it."""
    slot = kept._database._slot()
    statements: list[str] = []
    engine = kept._database._engine
    event.listen(engine, "before_cursor_execute", lambda _c, _cursor, sql, *_rest: statements.append(sql))
    cut_at_commit(kept, after=True)
    kept.spend("youtube", 10, 1, 0.0)
    assert slot == kept._database._slot()
    assert any("FROM commits" in sql and "FOR UPDATE" in sql for sql in statements)


def test_closing_forgets_the_counters(postgres: Server) -> None:
    address = postgres.new_database()
    with Catalog.open(address) as catalog:
        catalog.query("q", "youtube", "search")
    with Catalog.open(address) as catalog:
        assert catalog._database.read(lambda c: c.execute(text("SELECT * FROM commits")).all()) == []


def test_closing_while_the_server_is_away_is_quiet(postgres: Server) -> None:
    catalog = Catalog.open(postgres.new_database())
    catalog.query("q", "youtube", "search")
    postgres.stop()
    catalog.close()
    postgres.start()


@pytest.mark.system
def test_crawlers_outlive_restarts_and_lose_nothing(postgres: Server, troupe: Troupe) -> None:
    address = postgres.new_database()
    with Catalog.open(address) as catalog:
        catalog.query("q", "youtube", "search")
        actors = [troupe.start("persist", address, name) for name in ("one", "two")]
        for i in range(8):
            time.sleep(0.7)
            postgres.restart("immediate" if i % 2 else "fast", down_s=0.2 * (i % 3))
        time.sleep(1.0)
        assert [actor.is_alive() for actor in actors] == [True, True]
        said = [line for actor in actors for line in actor.kill()]
        stored = [line for line in said if line != "asked"]
        assert len(stored) == len(set(stored)) > 20
        check_consistency(catalog, stored)
        # Each that was asked for was counted once; the two killed may not have said their last.
        assert 0 <= catalog.spent("youtube", 0.0) - said.count("asked") <= 2


def test_the_servers_log_has_no_password(postgres: Server, kept: Catalog) -> None:
    listing(kept, "a")
    assert "database system is ready" in postgres.log()
    assert PASSWORD not in postgres.log()


def test_stored_after_a_broken_commit_is_stored_once(kept: Catalog) -> None:
    listing(kept, "a")
    (job,) = lease(kept)
    kept.described("me", job.item, description("a"), ACCEPT, 0.0)
    kept.intend("me", job.item, "originals/left.m4a")
    cut_at_commit(kept, after=True)
    assert kept.stored("me", job.item, asset("a"), (), 0.0) == ("originals/left.m4a",)
    assert len(kept.hand_over(["q"])) == 1
