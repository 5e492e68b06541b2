# SPDX-License-Identifier: Apache-2.0
"""Listings become items and jobs, once each."""

import pytest
from tests.store.catalog.builders import ACCEPT, HOLD, SKIP, description, ids, lease, listing, page, ref, visit

from speechmill.core.errors import WorkspaceError
from speechmill.store.catalog import Catalog, Query


def test_a_new_query_starts_at_the_beginning(catalog: Catalog) -> None:
    assert catalog.query("q", "youtube", "search") == Query(id="q", platform="youtube", kind="search")


def test_a_page_moves_the_cursor_and_counts_what_is_new(catalog: Catalog) -> None:
    catalog.query("q", "youtube", "search")
    assert catalog.save_page("q", page("a", "b", cursor="2"), {}, 0.0) == 2
    assert catalog.query("q", "youtube", "search") == Query("q", "youtube", "search", cursor="2", open=2)


def test_the_last_page_ends_the_listing(catalog: Catalog) -> None:
    catalog.query("q", "youtube", "search")
    catalog.save_page("q", page("a", cursor="2"), {}, 0.0)
    catalog.save_page("q", page("b"), {}, 1.0)
    assert catalog.query("q", "youtube", "search") == Query("q", "youtube", "search", done=True, open=2)


def test_saving_a_page_again_adds_nothing(catalog: Catalog) -> None:
    listing(catalog, "a", "b")
    assert catalog.save_page("q", page("a", "b", "c"), {}, 1.0) == 1
    assert ids(lease(catalog, 9, now=1.0)) == ["a", "b", "c"]


def test_what_a_page_lists_twice_is_one_item(catalog: Catalog) -> None:
    catalog.query("q", "youtube", "search")
    assert catalog.save_page("q", page("a", "a"), {}, 0.0) == 1


def test_one_id_on_two_platforms_is_two_items(catalog: Catalog) -> None:
    catalog.query("q", "youtube", "search")
    assert catalog.save_page("q", page("a"), {}, 0.0) == 1
    assert catalog.save_page("q", page("a", platform="podcast"), {}, 0.0) == 1


def test_a_page_of_a_finished_listing_moves_the_cursor_only_at_a_restart(catalog: Catalog) -> None:
    listing(catalog, "a")
    catalog.save_page("q", page("b", cursor="2"), {}, 1.0)
    assert catalog.query("q", "youtube", "search").done
    catalog.save_page("q", page("c", cursor="2"), {}, 2.0, restart=True)
    again = catalog.query("q", "youtube", "search")
    assert (again.cursor, again.done) == ("2", False)


def test_a_page_of_a_query_that_was_never_made_is_refused(catalog: Catalog) -> None:
    with pytest.raises(WorkspaceError, match="no query 'other'"):
        catalog.save_page("other", page("a"), {}, 0.0)


def test_a_skipped_ref_gets_no_job(catalog: Catalog) -> None:
    catalog.query("q", "youtube", "search")
    assert catalog.save_page("q", page("a", "b"), {"a": SKIP}, 0.0) == 2
    assert ids(lease(catalog, 9)) == ["b"]
    assert catalog.counts(["q"]).items == {"found": 1, "skipped": 1}


def test_a_ref_that_hints_kept_out_gets_its_job_once_they_let_it_in(catalog: Catalog) -> None:
    catalog.query("q", "youtube", "search")
    catalog.save_page("q", page("a"), {"a": SKIP}, 0.0)
    assert catalog.save_page("q", page("a"), {}, 1.0) == 0
    assert ids(lease(catalog, 9, now=1.0)) == ["a"]


def test_a_ref_that_another_query_kept_out_is_visited_for_the_one_that_lets_it_in(catalog: Catalog) -> None:
    catalog.query("strict", "youtube", "search")
    catalog.save_page("strict", page("a"), {"a": SKIP}, 0.0)
    listing(catalog, "a", query="lax", now=1.0)
    (job,) = lease(catalog, 9, queries=["strict", "lax"], now=1.0)
    assert job.query == "lax"


def test_what_a_visit_kept_out_stays_out_when_it_is_listed_again(catalog: Catalog) -> None:
    listing(catalog, "a")
    (job,) = lease(catalog)
    catalog.described("me", job.item, description("a"), SKIP, 0.0)
    catalog.save_page("q", page("a"), {}, 1.0)
    assert lease(catalog, now=1.0) == []


def test_a_query_counts_what_it_shares_with_an_earlier_one(catalog: Catalog) -> None:
    listing(catalog, "a", "b", "c", query="first")
    visit(catalog, "a", queries=["first"])
    listing(catalog, "a", "b", query="second", now=1.0)
    second = catalog.query("second", "youtube", "search")
    assert (second.kept, second.open) == (1, 1)


def test_a_shared_item_is_leased_for_the_query_that_is_asked_for(catalog: Catalog) -> None:
    listing(catalog, "a", query="first")
    listing(catalog, "a", query="second", now=1.0)
    (job,) = lease(catalog, queries=["second"], now=1.0)
    assert job.query == "second"


def test_a_shared_item_is_the_first_querys_where_both_are_asked_for(catalog: Catalog) -> None:
    listing(catalog, "a", query="first")
    listing(catalog, "a", query="second", now=1.0)
    (job,) = lease(catalog, queries=["second", "first"], now=1.0)
    assert job.query == "first"


def test_a_job_brings_the_listings_hints(catalog: Catalog) -> None:
    catalog.query("q", "youtube", "search")
    hinted = ref("a", title="T", duration=12.5, live=False, views=3)
    catalog.save_page("q", page("a").__class__((hinted,)), {}, 0.0)
    assert lease(catalog)[0].ref == hinted


def test_imported_items_are_never_visited(catalog: Catalog) -> None:
    assert catalog.import_archive([("youtube", "a"), ("youtube", "b"), ("youtube", "a")], 0.0) == 2
    listing(catalog, "a", "c", now=1.0)
    assert ids(lease(catalog, 9, now=1.0)) == ["c"]


def test_importing_again_adds_nothing(catalog: Catalog) -> None:
    catalog.import_archive([("youtube", "a")], 0.0)
    assert catalog.import_archive([("youtube", "a"), ("youtube", "b")], 1.0) == 1


def test_importing_ends_a_waiting_job(catalog: Catalog) -> None:
    listing(catalog, "a", "b")
    assert catalog.import_archive([("youtube", "a")], 1.0) == 1
    assert ids(lease(catalog, 9, now=1.0)) == ["b"]


def test_importing_leaves_what_is_stored(catalog: Catalog) -> None:
    listing(catalog, "a")
    visit(catalog, "a")
    assert catalog.import_archive([("youtube", "a")], 1.0) == 0
    assert catalog.counts(["q"]).items == {"stored": 1}


def test_an_imported_item_is_not_reconsidered(catalog: Catalog) -> None:
    listing(catalog, "a")
    (job,) = lease(catalog)
    catalog.described("me", job.item, description("a"), HOLD, 0.0)
    catalog.import_archive([("youtube", "a")], 1.0)
    catalog.reconsider({job.item: ACCEPT}, 2.0)
    assert lease(catalog, now=2.0) == []


def test_thousands_of_ids_are_imported_at_once(catalog: Catalog) -> None:
    assert catalog.import_archive([("youtube", f"v{i}") for i in range(2500)], 0.0) == 2500
