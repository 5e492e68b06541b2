# SPDX-License-Identifier: Apache-2.0
"""Strangers write titles, ids and errors; both databases take them, and give the same back."""

from tests.store.catalog.builders import ACCEPT, asset, description, lease, listing, page, ref

from speechmill.core.remote import Decision, Page
from speechmill.store.catalog import Attempt, Catalog, Takedown

NASTY = "nul \x00, half \ud83d, whole \U0001f600, ' \" \\ ; -- %s :x {} \u202e\r\n"
CLEAN = "nul \ufffd, half \ufffd, whole \U0001f600, ' \" \\ ; -- %s :x {} \u202e\r\n"


def test_hostile_text_comes_back_without_what_no_database_takes(catalog: Catalog) -> None:
    catalog.query("q", "youtube", "search")
    catalog.save_page("q", Page((ref(NASTY, title=NASTY),), NASTY), {}, 0.0)
    assert catalog.query("q", "youtube", "search").cursor == CLEAN
    (job,) = lease(catalog)
    assert (job.ref.id, job.ref.title) == (CLEAN, CLEAN)
    told = description(NASTY, title=NASTY, author=NASTY, category=NASTY, language=NASTY, date=NASTY, missing=(NASTY,))
    catalog.described("me", job.item, told, Decision("accept", NASTY, NASTY), 0.0)
    catalog.intend("me", job.item, NASTY)
    catalog.stored("me", job.item, asset("a", key=NASTY), (), 0.0)
    (stored,) = catalog.hand_over(["q"])
    assert (stored.description.title, stored.description.id, stored.asset.key) == (CLEAN, CLEAN, CLEAN)
    assert [group.value for group in catalog.groups(["q"], "category")] == [CLEAN]
    assert list(catalog.keys()) == [CLEAN]


def test_hostile_ids_are_known_again(catalog: Catalog) -> None:
    listing(catalog, NASTY)
    assert catalog.save_page("q", page(NASTY), {}, 1.0) == 0
    assert catalog.import_archive([("youtube", NASTY)], 1.0) == 1
    assert catalog.take_down("youtube", NASTY, NASTY, 2.0) == []
    assert catalog.takedowns() == [Takedown("youtube", CLEAN, 2.0, CLEAN)]


def test_hostile_errors_are_kept(catalog: Catalog) -> None:
    listing(catalog, "a")
    (job,) = lease(catalog)
    catalog.failed("me", job.item, "format", NASTY, NASTY * 1000, 0.0, None)
    catalog.attempt([Attempt(job.item, "visit", "direct", 0.0, 1.0, 1, 1, "format", NASTY)])
    assert catalog.counts(["q"]).errors == {"format": 1}


def test_a_title_of_a_million_characters_comes_back_whole(catalog: Catalog) -> None:
    listing(catalog, "a")
    (job,) = lease(catalog)
    title = "ü\U0001f600" * 500_000
    long = description("a", title=title, author=title[:5000], category=title[:5000])
    catalog.described("me", job.item, long, ACCEPT, 0.0)
    catalog.release("me", [job.item])
    assert lease(catalog)[0].description == long


def test_ids_longer_than_an_index_takes_stay_apart(catalog: Catalog) -> None:
    # Each is its own hash's neighbour: the same first 9,999 characters.
    one, other = "\u00fc" * 9999 + "1", "\u00fc" * 9999 + "2"
    catalog.query("q", "podcast", "feed")
    assert catalog.save_page("q", page(one, other, platform="podcast"), {}, 0.0) == 2
    assert catalog.save_page("q", page(other, one, platform="podcast"), {}, 0.0) == 0
    catalog.take_down("podcast", one, "", 1.0)
    assert [job.ref.id for job in lease(catalog, 9)] == [other]


def test_keys_longer_than_an_index_takes_are_listed_whole(catalog: Catalog) -> None:
    listing(catalog, "a")
    (job,) = lease(catalog)
    catalog.intend("me", job.item, "s3://bucket/" + "x" * 9000)
    assert list(catalog.keys()) == ["s3://bucket/" + "x" * 9000]


def test_numbers_that_no_column_takes_are_left_out(catalog: Catalog) -> None:
    listing(catalog, "a")
    (job,) = lease(catalog)
    odd = description("a", duration=float("nan"), views=1 << 70)
    catalog.described("me", job.item, odd, ACCEPT, 0.0)
    catalog.stored("me", job.item, asset("a", duration=float("inf")), (), 0.0)
    (stored,) = catalog.hand_over(["q"])
    assert (stored.description.duration, stored.description.views, stored.asset.duration) == (None, None, None)
    assert catalog.counts(["q"]).stored_hours == 0.0
