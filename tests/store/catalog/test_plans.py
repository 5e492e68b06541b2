# SPDX-License-Identifier: Apache-2.0
"""With 100,000 items every frequent question is answered by an index, and by a short look into it.

What it takes is asserted by plans, not by a clock; run with -s to see the times.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import create_engine, event, text
from tests.store.catalog.builders import ACCEPT, asset, description, ids, lease, page

from speechmill.store.catalog import Catalog

ITEMS = 100_000
QUERIES = ["q", "r"]
BIG = ("items", "finds", "jobs")

# Of every ten: four ready, five done, one that failed. Half by each query, and every hundredth is shared.
FILL = """
INSERT INTO queries (id, platform, kind, done)
VALUES ('q', 'youtube', 'search', false), ('r', 'youtube', 'channel', false);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)
INSERT INTO items (id, platform, name, query, state, found_at, elsewhere, ref, reason, detail, licence, duration,
                   description, described_at, verdict, missing, manual_captions, automatic_captions)
SELECT i, 'youtube', 'v' || i, CASE WHEN i % 2 = 0 THEN 'q' ELSE 'r' END,
       CASE WHEN i % 10 < 4 THEN 'found' WHEN i % 10 < 9 THEN 'stored' ELSE 'failed' END, i, false, :ref, '', '',
       CASE WHEN i % 10 < 4 THEN NULL ELSE 'cc-by' END, CASE WHEN i % 10 < 4 THEN NULL ELSE 60.0 END,
       CASE WHEN i % 10 < 4 THEN NULL ELSE :description END, CASE WHEN i % 10 < 4 THEN NULL ELSE 1.0 END,
       CASE WHEN i % 10 < 4 THEN NULL ELSE 'accept' END, 0, true, false
FROM n;
INSERT INTO finds (item, query, at) SELECT id, query, found_at FROM items;
INSERT INTO finds (item, query, at, first) SELECT id, 'q', found_at + 1, 'r' FROM items
WHERE query = 'r' AND id % 100 = 1;
INSERT INTO jobs (item, query, state, due, free_at, failures, kind, reason, detail)
SELECT id, query, CASE state WHEN 'found' THEN 'ready' WHEN 'stored' THEN 'done' ELSE 'quarantined' END, found_at,
       CASE state WHEN 'found' THEN found_at END, 0, CASE state WHEN 'failed' THEN 'net' END, '', ''
FROM items
"""


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.system)])
def large(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Catalog]]:
    """An address and its catalog of 100,000 items."""
    if request.param == "sqlite":
        address = f"sqlite:///{tmp_path_factory.mktemp('large')}/catalog.db"
    else:
        address = request.getfixturevalue("postgres").new_database()
    with Catalog.open(address) as catalog:
        fill(address)
        yield address, catalog


def fill(address: str) -> None:
    from tests.store.catalog.builders import ref

    from speechmill.store.catalog.texts import encode

    values = {"count": ITEMS, "ref": encode(ref("v")), "description": encode(description("v", author="x" * 800))}
    engine = create_engine(address)
    with engine.begin() as connection:
        for statement in FILL.split(";"):
            names = set(re.findall(r":(\w+)", statement))
            connection.execute(text(statement), {name: values[name] for name in names})
        if "postgresql" in address:
            connection.execute(text("SELECT setval(pg_get_serial_sequence('items', 'id'), :n)"), {"n": ITEMS})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE" if "postgresql" in address else "ANALYZE"))
    engine.dispose()


CALLS: dict[str, Callable[[Catalog], Any]] = {
    "query": lambda catalog: catalog.query("q", "youtube", "search"),
    "lease": lambda catalog: lease(catalog, 8, queries=QUERIES, now=1e6),
    "lease when another crawler's jobs are older": lambda catalog: lease(catalog, 8, queries=["q"], now=1e6),
    "save_page": lambda catalog: catalog.save_page("q", page(*(f"v{i}" for i in range(99_950, 100_050))), {}, 1e6),
    "next_due": lambda catalog: catalog.next_due(QUERIES, 0.0),
    "described": lambda catalog: visit_next(catalog),
    "spend": lambda catalog: catalog.spend("youtube", 250, 8, 1e6),
}


def visit_next(catalog: Catalog) -> None:
    (job,) = lease(catalog, owner="visitor", queries=QUERIES, now=1e6)
    catalog.intend("visitor", job.item, "originals/x.m4a")
    catalog.described("visitor", job.item, description(job.ref.id), ACCEPT, 1e6)
    catalog.stored("visitor", job.item, asset("x"), (), 1e6)


@pytest.mark.parametrize("name", CALLS)
def test_a_frequent_call_reads_no_table_from_end_to_end(large: tuple[str, Catalog], name: str) -> None:
    address, catalog = large
    scans = [line for line in plans(address, catalog, CALLS[name]) if reads_a_table(line)]
    assert scans == []


def test_counts_read_indices_and_no_descriptions(large: tuple[str, Catalog]) -> None:
    address, catalog = large
    found = plans(address, catalog, lambda catalog: catalog.counts(QUERIES))
    if "sqlite" in address:
        items = [line for line in found if re.search(r"(SCAN|SEARCH) items", line)]
        assert any("USING COVERING INDEX ix_items_query_state_licence_duration" in line for line in items)
    assert [line for line in found if reads_a_table(line) and "jobs" not in line and "items" not in line] == []


def reads_a_table(line: str) -> bool:
    """Whether a step of a plan goes through a whole table that grows."""
    if "Seq Scan on" in line:
        return line.split("Seq Scan on ")[1].split()[0] in BIG
    match = re.match(r"SCAN (\w+)", line)
    return match is not None and match[1] in BIG


def plans(address: str, catalog: Catalog, call: Callable[[Catalog], Any]) -> list[str]:
    """Run a call, and return how each of its statements is carried out."""
    said: list[tuple[str, Any]] = []
    engine = catalog._database._engine

    def listen(_connection: Any, _cursor: Any, sql: str, parameters: Any, _context: Any, many: bool) -> None:
        said.append((sql, parameters[0] if many and isinstance(parameters, list) else parameters))

    event.listen(engine, "before_cursor_execute", listen)
    started = time.perf_counter()
    call(catalog)
    taken = time.perf_counter() - started
    event.remove(engine, "before_cursor_execute", listen)
    print(f"\n{address[:10]} {1000 * taken:.1f} ms in {len(said)} statements")
    assert said
    explain = "EXPLAIN QUERY PLAN " if "sqlite" in address else "EXPLAIN "
    found: list[str] = []
    with create_engine(address).connect() as connection:
        for sql, parameters in said:
            if re.match(r"\s*(SELECT|UPDATE|DELETE|INSERT)", sql):
                rows = connection.exec_driver_sql(explain + sql, parameters)
                found += [str(row[-1]).strip() for row in rows]
        engine_of = connection.engine
    engine_of.dispose()
    return found


def test_leases_come_in_order_through_all_of_it(large: tuple[str, Catalog]) -> None:
    _address, catalog = large
    first = lease(catalog, 5, owner="order", queries=["r"], now=1e6)
    assert [job.item for job in first] == sorted(job.item for job in first)
    assert len(set(ids(first))) == 1  # one reference stands for all
