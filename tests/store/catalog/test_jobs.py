# SPDX-License-Identifier: Apache-2.0
"""Leases, outcomes and second tries."""

import pytest
from tests.store.catalog.builders import (
    ACCEPT,
    HOLD,
    SKIP,
    asset,
    description,
    ids,
    lease,
    listing,
    page,
    ref,
    visit,
)

from speechmill.core.remote import Page
from speechmill.store.catalog import Catalog, LeaseLost


def test_the_oldest_jobs_come_first_whichever_query_found_them(catalog: Catalog) -> None:
    for now, (id, query) in enumerate([("a", "p"), ("b", "q"), ("c", "p"), ("d", "q")]):
        listing(catalog, id, query=query, now=float(now))
    assert ids(lease(catalog, 3, queries=["p", "q"], now=9.0)) == ["a", "b", "c"]


def test_only_what_is_asked_for_is_leased(catalog: Catalog) -> None:
    listing(catalog, "a", query="p")
    listing(catalog, "b", query="q")
    assert ids(lease(catalog, 9, queries=["q"])) == ["b"]
    assert lease(catalog, 9, queries=[]) == []
    assert lease(catalog, 0, queries=["p"]) == []


def test_only_platforms_with_a_budget_are_leased(catalog: Catalog) -> None:
    listing(catalog, "a", query="p")
    catalog.query("podcasts", "podcast", "feed")
    catalog.save_page("podcasts", Page((ref("e", "podcast"),)), {}, 0.0)
    jobs = catalog.lease("me", ["p", "podcasts"], 9, 100.0, 0.0, ["podcast"])
    assert ids(jobs) == ["e"]


def test_more_queries_than_a_statement_takes_are_leased_from(catalog: Catalog) -> None:
    names = [f"q{i}" for i in range(230)]
    listing(catalog, "z", query="q229", now=1.0)
    listing(catalog, "a", query="q0", now=2.0)
    assert ids(lease(catalog, 9, queries=names, now=2.0)) == ["z", "a"]


def test_a_leased_job_is_nobody_elses(catalog: Catalog) -> None:
    listing(catalog, "a", "b")
    assert ids(lease(catalog, 1, owner="me")) == ["a"]
    assert ids(lease(catalog, 9, owner="you")) == ["b"]


def test_a_lease_that_ran_out_is_taken_over(catalog: Catalog) -> None:
    listing(catalog, "a")
    lease(catalog, owner="me", now=0.0)
    assert lease(catalog, owner="you", now=99.0) == []
    assert ids(lease(catalog, owner="you", now=100.0)) == ["a"]


def test_who_lost_a_lease_can_write_nothing(catalog: Catalog) -> None:
    listing(catalog, "a")
    (job,) = lease(catalog, owner="me")
    lease(catalog, owner="you", now=100.0)
    for write in (
        lambda: catalog.described("me", job.item, description("a"), ACCEPT, 101.0),
        lambda: catalog.intend("me", job.item, "k"),
        lambda: catalog.stored("me", job.item, asset(), (), 101.0),
        lambda: catalog.failed("me", job.item, "net", "timeout", "", 101.0, None),
    ):
        with pytest.raises(LeaseLost, match="you holds it"):
            write()
    assert catalog.counts(["q"]).jobs == {"leased": 1}
    assert list(catalog.keys()) == []


def test_a_lease_that_ran_out_and_that_nobody_took_still_holds(catalog: Catalog) -> None:
    listing(catalog, "a")
    (job,) = lease(catalog)
    catalog.described("me", job.item, description("a"), HOLD, 500.0)
    assert catalog.counts(["q"]).items == {"held": 1}


def test_writing_to_what_was_never_leased_is_refused(catalog: Catalog) -> None:
    with pytest.raises(LeaseLost, match=r"item 77 .* nobody holds it"):
        catalog.intend("me", 77, "k")


def test_renewing_prolongs_everything_that_an_owner_holds(catalog: Catalog) -> None:
    listing(catalog, "a", "b", "c")
    lease(catalog, 2, owner="me")
    lease(catalog, 1, owner="you")
    assert catalog.renew("me", 100.0, 50.0) == 2
    assert ids(lease(catalog, 9, owner="third", now=149.0)) == ["c"]


def test_a_released_job_is_ready_as_before(catalog: Catalog) -> None:
    listing(catalog, "a", "b")
    (job,) = lease(catalog, owner="me")
    catalog.release("me", [job.item])
    assert [(job.ref.id, job.failures) for job in lease(catalog, 9, owner="you")] == [("a", 0), ("b", 0)]


def test_nobody_releases_anothers_job(catalog: Catalog) -> None:
    listing(catalog, "a")
    (job,) = lease(catalog, owner="me")
    catalog.release("you", [job.item])
    assert lease(catalog, owner="third") == []


@pytest.mark.parametrize(("decision", "state"), [(HOLD, "held"), (SKIP, "skipped")])
def test_what_is_not_accepted_ends_its_job(catalog: Catalog, decision, state: str) -> None:  # type: ignore[no-untyped-def]
    listing(catalog, "a")
    (job,) = lease(catalog)
    catalog.described("me", job.item, description("a"), decision, 0.0)
    counts = catalog.counts(["q"])
    assert (counts.items, counts.jobs) == ({state: 1}, {"done": 1})


def test_what_is_accepted_stays_leased_and_keeps_its_description(catalog: Catalog) -> None:
    listing(catalog, "a")
    (job,) = lease(catalog)
    told = description("a", views=5, missing=("category",))
    catalog.described("me", job.item, told, ACCEPT, 0.0)
    assert catalog.counts(["q"]).jobs == {"leased": 1}
    (again,) = lease(catalog, owner="you", now=100.0)
    assert again.description == told


def test_a_failure_with_a_date_waits_for_it(catalog: Catalog) -> None:
    listing(catalog, "a")
    (job,) = lease(catalog)
    catalog.failed("me", job.item, "rate", "too-many-requests", "", 0.0, 60.0)
    assert lease(catalog, now=59.0) == []
    (again,) = lease(catalog, now=60.0)
    assert again.failures == 1


def test_a_permanent_failure_is_never_retried_by_itself(catalog: Catalog) -> None:
    listing(catalog, "a")
    (job,) = lease(catalog)
    catalog.failed("me", job.item, "permanent", "private", "", 0.0, None)
    assert catalog.next_due(["q"], 1.0) is None
    counts = catalog.counts(["q"])
    assert (counts.items, counts.jobs, counts.errors) == ({"failed": 1}, {"failed": 1}, {"permanent": 1})


def test_other_failures_without_a_date_are_set_aside(catalog: Catalog) -> None:
    listing(catalog, "a")
    (job,) = lease(catalog)
    catalog.failed("me", job.item, "net", "timeout", "", 0.0, None)
    assert catalog.counts(["q"]).jobs == {"quarantined": 1}


def test_a_success_clears_the_error(catalog: Catalog) -> None:
    listing(catalog, "a")
    (job,) = lease(catalog)
    catalog.failed("me", job.item, "net", "timeout", "", 0.0, 1.0)
    assert catalog.counts(["q"]).errors == {"net": 1}
    visit(catalog, "a", now=1.0)
    assert catalog.counts(["q"]).errors == {}


def failed_jobs(catalog: Catalog) -> None:
    """a waits, b is set aside, c failed for good, d has had no visit."""
    listing(catalog, "a", "b", "c", "d")
    a, b, c = (job.item for job in lease(catalog, 3))
    catalog.failed("me", a, "rate", "slow-down", "", 0.0, 1000.0)
    catalog.failed("me", b, "net", "timeout", "", 0.0, None)
    catalog.failed("me", c, "permanent", "private", "", 0.0, None)


@pytest.mark.parametrize(
    ("kinds", "made_ready"),
    [(["rate"], ["a"]), (["net", "rate"], ["a", "b"]), (["permanent"], ["c"]), (["geo"], []), ([], [])],
)
def test_a_retry_makes_the_asked_kinds_ready(catalog: Catalog, kinds, made_ready: list[str]) -> None:  # type: ignore[no-untyped-def]
    failed_jobs(catalog)
    assert catalog.retry(["q"], kinds, 5.0) == len(made_ready)
    leased = lease(catalog, 9, now=5.0)
    assert sorted(ids(leased)) == sorted([*made_ready, "d"])
    assert {job.failures for job in leased} == {0}


def test_a_retry_of_other_queries_changes_nothing(catalog: Catalog) -> None:
    failed_jobs(catalog)
    listing(catalog, "z", query="other")
    assert catalog.retry(["other"], ["rate", "net", "permanent"], 5.0) == 0


def test_retrying_twice_counts_once(catalog: Catalog) -> None:
    failed_jobs(catalog)
    assert catalog.retry(["q"], ["net"], 5.0) == 1
    assert catalog.retry(["q"], ["net"], 5.0) == 0


def decided(catalog: Catalog, decision) -> int:  # type: ignore[no-untyped-def]
    listing(catalog, "a")
    (job,) = lease(catalog)
    catalog.described("me", job.item, description("a"), decision, 0.0)
    return job.item


def test_what_is_accepted_on_reconsidering_gets_a_job(catalog: Catalog) -> None:
    item = decided(catalog, HOLD)
    catalog.reconsider({item: ACCEPT}, 5.0)
    (job,) = lease(catalog, now=5.0)
    assert job.description == description("a")


def test_what_is_held_on_reconsidering_loses_its_job(catalog: Catalog) -> None:
    item = decided(catalog, ACCEPT)
    catalog.release("me", [item])
    catalog.reconsider({item: HOLD}, 5.0)
    assert lease(catalog, now=5.0) == []
    assert catalog.counts(["q"]).items == {"held": 1}


def test_reconsidering_leaves_a_visit_that_goes_on(catalog: Catalog) -> None:
    item = decided(catalog, ACCEPT)
    catalog.reconsider({item: SKIP}, 5.0)
    catalog.stored("me", item, asset(), (), 6.0)
    assert catalog.counts(["q"]).items == {"stored": 1}


def test_reconsidering_fetches_nothing_twice(catalog: Catalog) -> None:
    item = decided(catalog, ACCEPT)
    catalog.stored("me", item, asset(), (), 1.0)
    catalog.reconsider({item: HOLD}, 5.0)
    catalog.reconsider({item: ACCEPT}, 6.0)
    assert lease(catalog, now=6.0) == []
    assert catalog.counts(["q"]).items == {"stored": 1}


def test_undecided_yields_described_items_by_verdict(catalog: Catalog) -> None:
    listing(catalog, "a", "b", "c")
    for job, decision in zip(lease(catalog, 3), (HOLD, SKIP, ACCEPT), strict=True):
        catalog.described("me", job.item, description(job.ref.id), decision, 0.0)
    found = [(query, told.id) for _item, query, told in catalog.undecided(["q"], ["hold", "skip"])]
    assert found == [("q", "a"), ("q", "b")]


def test_undecided_yields_more_than_a_page(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("speechmill.store.catalog.results._PAGE", 5)
    names = ["z", "y", "x", "a", "b", "c", "d", "e", "f", "g", "h"]
    listing(catalog, *names)
    for job in lease(catalog, 11):
        catalog.described("me", job.item, description(job.ref.id), HOLD, 0.0)
    found = [told.id for _item, _query, told in catalog.undecided(["q"], ["hold"])]
    assert found == names


def test_the_next_job_is_due_at_once_later_or_never(catalog: Catalog) -> None:
    catalog.query("q", "youtube", "search")
    assert catalog.next_due(["q"], 0.0) is None
    catalog.save_page("q", page("a"), {}, 10.0)
    assert catalog.next_due(["q"], 10.0) == 0.0
    lease(catalog, now=10.0)
    assert catalog.next_due(["q"], 30.0) == 80.0
