# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from speechmill.core.remote import CaptionTrack, Decision, Description, Page, Ref
from speechmill.core.types import Rights
from speechmill.crawl.statistics import CrawlStatistics, Table, statistics, tables
from speechmill.store.catalog import Attempt, Catalog, Costs, Group

SEARCH = Costs(
    kind="search",
    items=100,
    described=40,
    complete=30,
    missing_fields=20,
    stored=10,
    hours=20.0,
    stored_hours=5.0,
    visited=50,
    attempts=60,
    succeeded=40,
    seconds=100.0,
    requests=110,
    bytes=7,
)
VIDEO = Costs(kind="video", items=5, described=0, complete=0, missing_fields=0, stored=0, hours=0.0, stored_hours=0.0)


class Fixed:
    """Says the same of every question."""

    def __init__(self, costs: list[Costs], groups: list[Group]) -> None:
        self.costs = lambda _queries: costs
        self.groups = lambda _queries, _by: groups


def group(name: str | None, items: int = 4, manual: int = 1, automatic: int = 2) -> Group:
    return Group(name, name, items, 2.0, 1, 0.5, manual, automatic)


def of(costs: list[Costs], groups: list[Group] | None = None) -> CrawlStatistics:
    return statistics(Fixed(costs, groups or []), ["q"])


def test_a_kind_of_query_tells_what_it_gave_and_cost():
    (found,) = of([SEARCH]).queries
    assert (found.items, found.asked, found.described, found.stored) == (100, 50, 40, 10)
    assert found.seconds_an_item == 2.0
    assert found.requests_an_item == 2.2
    assert found.success_percent == 80.0
    assert found.complete_percent == 75.0
    assert found.missing_an_item == 0.5


def test_what_was_not_asked_yet_has_no_figures():
    (found,) = of([VIDEO]).queries
    assert found.items == 5
    assert (found.seconds_an_item, found.success_percent, found.complete_percent) == (None, None, None)


def test_visits_that_a_killed_crawl_did_not_write_make_no_success_beyond_all():
    lost = Costs(
        kind="feed",
        items=9,
        described=9,
        complete=9,
        missing_fields=0,
        stored=0,
        hours=1.0,
        stored_hours=0.0,
        visited=8,
    )
    assert of([lost]).total.success_percent == 100.0


def test_the_total_is_of_all_kinds():
    total = of([SEARCH, VIDEO]).total
    assert (total.kind, total.items, total.described, total.hours) == ("all", 105, 40, 20.0)
    assert total.complete_percent == 75.0


def test_without_queries_there_is_nothing_to_tell():
    found = of([])
    assert (found.queries, found.total.items, found.total.success_percent) == ((), 0, None)


def test_a_group_tells_how_many_items_have_captions_and_whose():
    (found,) = of([], [group("Science")]).channels
    assert (found.name, found.items, found.hours) == ("Science", 4, 2.0)
    assert (found.manual_percent, found.automatic_percent) == (25.0, 50.0)


def by_title(found: CrawlStatistics, title: str, top: int = 15) -> Table:
    return next(table for table in tables(found, top) if table.title == title)


def test_tables_have_a_cell_for_each_column():
    found = of([SEARCH, VIDEO], [group("a"), group(None), group("c")])
    for table in tables(found, top=1):
        assert {len(row) for row in table.rows} == {len(table.header)}
    assert [table.title for table in tables(found)] == [
        "by kind of query",
        "by category",
        "by channel",
        "by language",
        "by licence",
    ]


def test_the_total_is_shown_where_there_are_several_kinds():
    assert [row[0] for row in by_title(of([SEARCH, VIDEO]), "by kind of query").rows] == ["search", "video", "all"]
    assert [row[0] for row in by_title(of([SEARCH]), "by kind of query").rows] == ["search"]


def test_what_has_no_figure_is_a_dash_and_what_is_not_stated_says_so():
    assert by_title(of([VIDEO]), "by kind of query").rows[0][7:] == ("-", "-", "-", "-", "-")
    assert by_title(of([], [group(None)]), "by language").rows[0][0] == "(not stated)"


def test_small_groups_are_shown_together():
    found = of([], [group("a", 10, 10, 0), group("b", 6, 3, 0), group("c", 2, 0, 2)])
    shown = by_title(found, "by channel", top=1).rows
    assert [row[0] for row in shown] == ["a", "(2 others)"]
    assert shown[1][1:] == (8, 4.0, 2, 1.0, 37.5, 25.0)


@pytest.fixture
def catalog(tmp_path: Path):
    pytest.importorskip("sqlalchemy")
    with Catalog.open(f"sqlite:///{tmp_path}/catalog.db") as opened:
        yield opened


def test_statistics_are_read_from_a_catalog(catalog):
    catalog.query("q", "youtube", "search")
    catalog.save_page("q", Page(tuple(Ref("youtube", str(n), f"https://x/{n}") for n in range(3))), {}, 0.0)
    tracks = ((CaptionTrack("vi", "manual"),), (CaptionTrack("vi", "automatic"),))
    for job in catalog.lease("me", ["q"], 2, 60.0, 1.0):
        described = Description(
            "youtube",
            job.ref.id,
            job.ref.url,
            "t",
            1800.0,
            author="Open Talks",
            channel_id="UC1",
            category="Education",
            language="vi",
            rights=Rights(state="standard"),
            tracks=tracks[int(job.ref.id)],
            missing=("views",) if job.ref.id == "0" else (),
        )
        catalog.described("me", job.item, described, Decision("hold", "licence-standard"), 2.0)
        catalog.attempt([Attempt(job.item, "visit", "direct", 1.0, 0.5, 2, 0)])
    found = statistics(catalog, ["q"])
    (search,) = found.queries
    assert (search.kind, search.items, search.described, search.stored) == ("search", 3, 2, 0)
    assert (search.seconds_an_item, search.requests_an_item) == (0.5, 2.0)
    assert (search.success_percent, search.complete_percent) == (100.0, 50.0)
    assert [(one.name, one.items, one.hours) for one in found.channels] == [("Open Talks", 2, 1.0)]
    assert [(one.name, one.manual_percent, one.automatic_percent) for one in found.languages] == [("vi", 50.0, 50.0)]
    assert [one.name for one in found.categories] == ["Education"]
    assert [one.name for one in found.licences] == ["standard"]
