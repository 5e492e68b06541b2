# SPDX-License-Identifier: Apache-2.0
"""Counts and sums, by hand."""

from tests.store.catalog.builders import ACCEPT, HOLD, description, lease, listing, visit

from speechmill.core.remote import CaptionTrack
from speechmill.store.catalog import Attempt, Catalog, Costs, Counts, Group

MANUAL, AUTOMATIC = CaptionTrack("en", "manual"), CaptionTrack("en", "automatic")


def test_counts_of_nothing_are_empty(catalog: Catalog) -> None:
    empty = Counts(items={}, hours={}, stored_hours=0.0, errors={}, jobs={})
    assert catalog.counts([]) == empty
    assert catalog.counts(["unknown"]) == empty


def test_hours_are_counted_by_licence_of_what_was_described(catalog: Catalog) -> None:
    listing(catalog, "a", "b", "c", "d")
    visit(catalog, "a", duration=1800.0)
    b, c = lease(catalog, 2)
    catalog.described("me", b.item, description("b", state="standard"), HOLD, 0.0)
    catalog.described("me", c.item, description("c", state="standard", duration=None), HOLD, 0.0)
    counts = catalog.counts(["q"])
    assert counts.hours == {"cc-by": 0.5, "standard": 1.0}
    assert counts.stored_hours == 0.5
    assert counts.items == {"found": 1, "held": 2, "stored": 1}


def test_what_two_queries_found_counts_once(catalog: Catalog) -> None:
    listing(catalog, "a", "b", query="first")
    listing(catalog, "b", "c", query="second", now=1.0)
    assert catalog.counts(["first", "second"]).items == {"found": 3}
    assert catalog.counts(["first", "second"]).jobs == {"ready": 3}
    assert catalog.counts(["second"]).items == {"found": 2}
    assert catalog.counts(["second"]).jobs == {"ready": 2}


def test_costs_are_told_apart_by_kind_of_query(catalog: Catalog) -> None:
    listing(catalog, "a", "b", query="s", kind="search")
    listing(catalog, "c", query="c", kind="channel", now=1.0)
    a, b, c = lease(catalog, 3, queries=["s", "c"], now=1.0)
    catalog.described("me", a.item, description("a"), ACCEPT, 1.0)
    catalog.described("me", b.item, description("b", missing=("views", "category")), HOLD, 1.0)
    catalog.attempt(
        [
            Attempt(a.item, "visit", "direct", 0.0, 2.0, 2, 1000),
            Attempt(b.item, "visit", "direct", 0.0, 1.0, 2, 500, "net", "timeout"),
            Attempt(b.item, "visit", "direct", 5.0, 1.5, 2, 700),
            Attempt(c.item, "visit", "direct", 5.0, 0.5, 1, 10, "permanent", "private"),
        ]
    )
    assert catalog.costs(["s", "c"]) == [
        Costs(
            kind="channel",
            items=1,
            described=0,
            complete=0,
            missing_fields=0,
            stored=0,
            hours=0.0,
            stored_hours=0.0,
            visited=1,
            attempts=1,
            succeeded=0,
            seconds=0.5,
            requests=1,
            bytes=10,
        ),
        Costs(
            kind="search",
            items=2,
            described=2,
            complete=1,
            missing_fields=2,
            stored=0,
            hours=2.0,
            stored_hours=0.0,
            visited=2,
            attempts=3,
            succeeded=2,
            seconds=4.5,
            requests=6,
            bytes=2200,
        ),
    ]


def test_no_attempts_are_no_attempts(catalog: Catalog) -> None:
    listing(catalog, "a")
    catalog.attempt([])
    (costs,) = catalog.costs(["q"])
    assert (costs.items, costs.attempts) == (1, 0)


def test_items_are_grouped_by_channel_with_its_name(catalog: Catalog) -> None:
    listing(catalog, "a", "b", "c", "d")
    visit(catalog, "a", channel_id="UC1", author="One")
    visit(catalog, "b", channel_id="UC1", author="One", tracks=(MANUAL, AUTOMATIC))
    visit(catalog, "c", channel_id="UC2", author="Two", tracks=(AUTOMATIC,))
    assert catalog.groups(["q"], "channel") == [
        Group("UC1", "One", 2, 2.0, 2, 2.0, 1, 0),
        Group("UC2", "Two", 1, 1.0, 1, 1.0, 0, 1),
    ]


def test_items_are_grouped_by_what_captions_they_have(catalog: Catalog) -> None:
    listing(catalog, "a", "b", "c", "d")
    visit(catalog, "a", tracks=(AUTOMATIC, MANUAL))
    visit(catalog, "b", tracks=(AUTOMATIC,))
    visit(catalog, "c")
    visit(catalog, "d")
    found = [(group.value, group.items) for group in catalog.groups(["q"], "captions")]
    assert found == [("none", 2), ("automatic", 1), ("manual", 1)]


def test_items_without_a_category_are_a_group(catalog: Catalog) -> None:
    listing(catalog, "a", "b")
    visit(catalog, "a", category="Education", language="sv")
    visit(catalog, "b", language="sv")
    assert {group.value: group.items for group in catalog.groups(["q"], "category")} == {None: 1, "Education": 1}
    assert {group.value: group.items for group in catalog.groups(["q"], "language")} == {"sv": 2}
