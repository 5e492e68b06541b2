# SPDX-License-Identifier: Apache-2.0
"""Stored objects: who refers to them, and which belong to nobody."""

import pytest
from tests.store.catalog.builders import (
    ACCEPT,
    asset,
    caption,
    description,
    lease,
    listing,
    page,
    visit,
)

from speechmill.core.errors import WorkspaceError
from speechmill.store.catalog import Catalog, Stored, Takedown


def test_what_is_stored_is_handed_over(catalog: Catalog) -> None:
    listing(catalog, "a")
    item = visit(catalog, "a", captions=[caption("y", "sv"), caption("x", "en")])
    assert catalog.hand_over(["q"]) == [
        Stored(item, "q", description("a"), asset("a"), (caption("y", "sv"), caption("x", "en")))
    ]


def test_the_hand_over_is_sorted_whatever_the_order_of_visits(catalog: Catalog) -> None:
    listing(catalog, "b", "a", "B")
    for id in ("b", "a", "B"):
        visit(catalog, id)
    assert [stored.description.id for stored in catalog.hand_over(["q"])] == ["B", "a", "b"]


def test_a_shared_item_is_handed_over_to_each_query_as_its_own(catalog: Catalog) -> None:
    listing(catalog, "a", query="first")
    visit(catalog, "a", queries=["first"])
    listing(catalog, "a", query="second", now=1.0)
    assert [stored.query for stored in catalog.hand_over(["first", "second"])] == ["first"]
    assert [stored.query for stored in catalog.hand_over(["second"])] == ["second"]
    assert catalog.hand_over(["third"]) == []
    assert catalog.hand_over([]) == []


def test_storing_what_was_never_described_is_refused(catalog: Catalog) -> None:
    listing(catalog, "a")
    (job,) = lease(catalog)
    with pytest.raises(WorkspaceError, match="not described"):
        catalog.stored("me", job.item, asset(), (), 0.0)


def test_an_intended_object_has_a_row_before_it_exists(catalog: Catalog) -> None:
    listing(catalog, "a")
    (job,) = lease(catalog)
    catalog.intend("me", job.item, "originals/1.m4a")
    catalog.intend("me", job.item, "originals/1.m4a")
    assert list(catalog.keys()) == ["originals/1.m4a"]


def test_what_a_dead_owner_left_is_returned_to_the_next(catalog: Catalog) -> None:
    listing(catalog, "a")
    (job,) = lease(catalog, owner="me")
    catalog.intend("me", job.item, "originals/left.m4a")
    (job,) = lease(catalog, owner="you", now=100.0)
    catalog.described("you", job.item, description("a"), ACCEPT, 100.0)
    catalog.intend("you", job.item, "originals/a.m4a")
    assert catalog.stored("you", job.item, asset("a"), [caption("c")], 101.0) == ("originals/left.m4a",)
    assert list(catalog.keys()) == ["captions/c.vtt", "originals/a.m4a"]


def test_what_another_item_needs_too_is_not_returned(catalog: Catalog) -> None:
    listing(catalog, "a", "b", "c")
    visit(catalog, "a", key="same")
    b, c = lease(catalog, 2)
    catalog.intend("me", b.item, "originals/same.m4a")
    catalog.intend("me", b.item, "originals/soon.m4a")
    catalog.intend("me", c.item, "originals/soon.m4a")
    catalog.described("me", b.item, description("b"), ACCEPT, 0.0)
    assert catalog.stored("me", b.item, asset("b"), (), 0.0) == ()


def test_every_key_is_listed_once_over_many_pages(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("speechmill.store.catalog.assets._PAGE", 5)
    names = [f"v{i:02}" for i in range(1, 31)]
    listing(catalog, *names)
    for i, id in enumerate(names):
        visit(catalog, id, key=f"{i // 2:02}", captions=[caption(f"{i:02}")])
    expected = [f"captions/{i:02}.vtt" for i in range(30)] + [f"originals/{i:02}.m4a" for i in range(15)]
    assert list(catalog.keys()) == expected


def test_a_dropped_asset_is_handed_over_but_has_no_object(catalog: Catalog) -> None:
    listing(catalog, "a")
    visit(catalog, "a")
    catalog.drop_asset("originals/a.m4a")
    (stored,) = catalog.hand_over(["q"])
    assert stored.dropped
    assert list(catalog.keys()) == []
    assert lease(catalog, now=1e6) == []


def test_the_containers_duration_counts_where_the_platform_states_none(catalog: Catalog) -> None:
    listing(catalog, "a")
    (job,) = lease(catalog)
    catalog.described("me", job.item, description("a", duration=None), ACCEPT, 0.0)
    catalog.stored("me", job.item, asset("a", duration=1800.0), (), 0.0)
    assert catalog.counts(["q"]).stored_hours == 0.5


def test_a_takedown_returns_what_nobody_else_needs(catalog: Catalog) -> None:
    listing(catalog, "a", "b")
    visit(catalog, "a", key="same", captions=[caption("c")])
    visit(catalog, "b", key="same")
    assert catalog.take_down("youtube", "a", "asked by its author", 5.0) == ["captions/c.vtt"]
    assert [stored.description.id for stored in catalog.hand_over(["q"])] == ["b"]
    assert catalog.take_down("youtube", "b", "", 6.0) == ["originals/same.m4a"]
    assert list(catalog.keys()) == []


def test_a_takedown_says_again_what_to_delete_until_that_is_noted(catalog: Catalog) -> None:
    listing(catalog, "a")
    visit(catalog, "a")
    assert catalog.take_down("youtube", "a", "first", 5.0) == ["originals/a.m4a"]
    assert catalog.take_down("youtube", "a", "second", 6.0) == ["originals/a.m4a"]
    catalog.drop_asset("originals/a.m4a")
    assert catalog.take_down("youtube", "a", "third", 7.0) == []
    assert catalog.takedowns() == [Takedown("youtube", "a", 5.0, "first")]


def test_a_takedown_of_an_unknown_item_keeps_it_out(catalog: Catalog) -> None:
    assert catalog.take_down("youtube", "a", "", 5.0) == []
    listing(catalog, "a", "b", now=6.0)
    assert [job.ref.id for job in lease(catalog, 9, now=6.0)] == ["b"]
    assert catalog.counts(["q"]).items == {"found": 1, "taken-down": 1}


def test_a_takedown_stops_a_visit_and_names_what_it_meant_to_write(catalog: Catalog) -> None:
    listing(catalog, "a")
    (job,) = lease(catalog)
    catalog.described("me", job.item, description("a"), ACCEPT, 0.0)
    catalog.intend("me", job.item, "originals/a.m4a")
    assert catalog.take_down("youtube", "a", "", 5.0) == ["originals/a.m4a"]
    with pytest.raises(WorkspaceError, match="nobody holds it"):
        catalog.stored("me", job.item, asset("a"), (), 6.0)
    assert catalog.hand_over(["q"]) == []


def test_nothing_brings_back_what_was_taken_down(catalog: Catalog) -> None:
    listing(catalog, "a")
    (job,) = lease(catalog)
    catalog.described("me", job.item, description("a"), ACCEPT, 0.0)
    catalog.failed("me", job.item, "net", "timeout", "", 0.0, None)
    catalog.take_down("youtube", "a", "", 5.0)
    catalog.reconsider({job.item: ACCEPT}, 6.0)
    assert catalog.retry(["q"], ["net"], 6.0) == 0
    catalog.save_page("q", page("a"), {}, 6.0)
    catalog.import_archive([("youtube", "a")], 6.0)
    assert lease(catalog, now=7.0) == []
    assert catalog.counts(["q"]).items == {"taken-down": 1}
    assert list(catalog.undecided(["q"], ["accept"])) == []
