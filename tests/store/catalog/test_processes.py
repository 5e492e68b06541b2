# SPDX-License-Identifier: Apache-2.0
"""Many processes at once, and some that die."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.services.postgres import Server
from tests.store.catalog.actors import Troupe
from tests.store.catalog.builders import ACCEPT, asset, description, ids, lease, listing, page

from speechmill.store.catalog import Catalog, LeaseLost


def test_four_processes_take_each_job_once(address: str, catalog: Catalog, troupe: Troupe) -> None:
    names = [f"v{i:03}" for i in range(500)]
    listing(catalog, *names)
    actors = [troupe.start("take", address, f"p{i}") for i in range(4)]
    given = [id for actor in actors for id in actor.wait()]
    assert len(given) == 500
    assert sorted(given) == names


def test_four_processes_spend_one_budget(address: str, catalog: Catalog, troupe: Troupe) -> None:
    actors = [troupe.start("spend", address, f"p{i}") for i in range(4)]
    assert sum(int(actor.wait()[0]) for actor in actors) == 250
    assert catalog.spent("youtube", 1000.0) == 250


def test_threads_share_a_catalog(catalog: Catalog) -> None:
    listing(catalog, *(f"v{i:03}" for i in range(60)))

    def visits(owner: str) -> list[str]:
        done = []
        while jobs := lease(catalog, owner=owner):
            catalog.described(owner, jobs[0].item, description(jobs[0].ref.id), ACCEPT, 0.0)
            catalog.stored(owner, jobs[0].item, asset(jobs[0].ref.id), (), 0.0)
            done += ids(jobs)
        return done

    with ThreadPoolExecutor(6) as pool:
        done = [id for part in pool.map(visits, [f"t{i}" for i in range(6)]) for id in part]
    assert sorted(done) == [f"v{i:03}" for i in range(60)]
    assert catalog.counts(["q"]).items == {"stored": 60}


def test_crawlers_that_find_the_same_items_add_each_once(catalog: Catalog) -> None:
    pages = [page(*(f"v{(i * k) % 50}" for k in range(1, 30))) for i in range(1, 25)]
    for query in ("p", "q"):
        catalog.query(query, "youtube", "search")

    def save(number: int) -> int:
        return catalog.save_page("pq"[number % 2], pages[number], {}, 0.0)

    with ThreadPoolExecutor(6) as pool:
        added = sum(pool.map(save, range(24)))
    wanted = {ref.id for one in pages for ref in one.refs}
    assert added == len(wanted)
    assert sorted(ids(lease(catalog, 99, queries=["p", "q"]))) == sorted(wanted)


def test_a_killed_owners_lease_is_taken_over_with_what_it_left(address: str, catalog: Catalog, troupe: Troupe) -> None:
    listing(catalog, "a")
    victim = troupe.start("hold", address, "victim")
    victim.wait_for_an_item()
    assert victim.kill() == ["a"]
    assert lease(catalog, owner="heir", now=99.0) == []
    (job,) = lease(catalog, owner="heir", now=100.0)
    catalog.described("heir", job.item, description("a"), ACCEPT, 100.0)
    assert catalog.stored("heir", job.item, asset("a"), (), 100.0) == ("originals/victim.m4a",)
    with pytest.raises(LeaseLost):
        catalog.intend("victim", job.item, "originals/late.m4a")


def test_processes_that_open_a_new_database_together_all_get_it(
    tmp_path: Path, postgres: Server, troupe: Troupe
) -> None:
    for address in (f"sqlite:///{tmp_path}/catalog.db", postgres.new_database()):
        actors = [troupe.start("spend", address, f"p{i}") for i in range(4)]
        assert sum(int(actor.wait()[0]) for actor in actors) == 250


def test_a_write_waits_for_a_long_one(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path}/catalog.db"
    with Catalog.open(address) as slow, Catalog.open(address) as other:
        held, go_on = threading.Event(), threading.Event()

        def hold(connection) -> None:  # type: ignore[no-untyped-def]
            held.set()
            go_on.wait(60)
            connection.execute(text("DELETE FROM egress"))

        with ThreadPoolExecutor(2) as pool:
            holding = pool.submit(slow._database.write, hold)
            held.wait(60)
            assert other.counts([]).items == {}  # readers go on
            waiting = pool.submit(other.query, "q", "youtube", "search")
            time.sleep(0.1)
            assert not waiting.done()
            go_on.set()
            assert waiting.result(60).id == "q"
            holding.result(60)


def check_consistency(catalog: Catalog, said: list[str]) -> None:
    """Nothing that was said to be stored is lost; no row without what it needs."""
    stored = [stored.description.id for stored in catalog.hand_over(["q"])]
    assert len(stored) == len(set(stored))
    assert set(said) <= set(stored)
    counts = catalog.counts(["q"])
    assert counts.items.get("stored", 0) == len(stored) == counts.jobs.get("done", 0)
    assert counts.items.get("found", 0) == counts.jobs.get("ready", 0) + counts.jobs.get("leased", 0)
    assert {f"originals/{id}.m4a" for id in stored} <= set(catalog.keys())


def crawl_and_kill(troupe: Troupe, address: str, rounds: int, seconds: float) -> list[str]:
    """Kill two crawlers with -9 in the middle, over and over. Returns what they said to have stored."""
    said: list[str] = []
    for i in range(rounds):
        actors = [troupe.start("work", address, f"w{i}-{k}") for k in range(2)]
        for actor in actors:
            actor.wait_for_an_item()
        time.sleep(seconds * (0.5 + i / rounds))
        for actor in actors:
            said += actor.kill()
    return [line for line in said if line != "asked"]


LOOPS = [pytest.param(3, 0.05, id="short"), pytest.param(30, 0.4, marks=pytest.mark.system, id="long")]


@pytest.mark.parametrize(("rounds", "seconds"), LOOPS)
def test_writers_killed_in_a_loop_leave_a_whole_sqlite_database(
    tmp_path: Path, troupe: Troupe, rounds: int, seconds: float
) -> None:
    address = f"sqlite:///{tmp_path}/catalog.db"
    with Catalog.open(address) as catalog:
        catalog.query("q", "youtube", "search")
    said = crawl_and_kill(troupe, address, rounds, seconds)
    assert len(said) > rounds
    with Catalog.open(address) as catalog:
        integrity = catalog._database.read(lambda c: c.exec_driver_sql("PRAGMA integrity_check").scalar())
        dangling = catalog._database.read(lambda c: c.exec_driver_sql("PRAGMA foreign_key_check").all())
        assert (integrity, dangling) == ("ok", [])
        check_consistency(catalog, said)


@pytest.mark.system
def test_writers_killed_in_a_loop_leave_postgresql_whole(postgres: Server, troupe: Troupe) -> None:
    address = postgres.new_database()
    with Catalog.open(address) as catalog:
        catalog.query("q", "youtube", "search")
        check_consistency(catalog, crawl_and_kill(troupe, address, 30, 0.4))
