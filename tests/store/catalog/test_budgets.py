# SPDX-License-Identifier: Apache-2.0
"""Never more than an hour's budget in any hour."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechmill.store.catalog import Catalog, EgressState, Grant


def test_a_budget_is_granted_until_it_is_used_up(catalog: Catalog) -> None:
    assert catalog.spend("youtube", 250, 200, 1000.0) == Grant(granted=200, wait_s=0.0)
    assert catalog.spend("youtube", 250, 100, 1000.0) == Grant(granted=50, wait_s=3610.0)
    assert catalog.spent("youtube", 1000.0) == 250


def test_what_was_spent_counts_for_an_hour(catalog: Catalog) -> None:
    catalog.spend("youtube", 10, 10, 1009.0)
    assert catalog.spend("youtube", 10, 1, 4609.0).granted == 0
    assert catalog.spend("youtube", 10, 1, 4620.0).granted == 1


def test_the_wait_is_until_one_more_may_be_asked_for(catalog: Catalog) -> None:
    catalog.spend("youtube", 10, 6, 1000.0)
    catalog.spend("youtube", 10, 4, 2000.0)
    wait = catalog.spend("youtube", 10, 1, 2500.0).wait_s
    assert wait == 2110.0
    assert catalog.spend("youtube", 10, 9, 2500.0 + wait).granted == 6


def test_a_budget_that_was_lowered_waits_until_enough_is_old(catalog: Catalog) -> None:
    catalog.spend("youtube", 10, 6, 1000.0)
    catalog.spend("youtube", 10, 4, 2000.0)
    assert catalog.spend("youtube", 4, 1, 2500.0) == Grant(granted=0, wait_s=3110.0)


def test_no_limit_grants_everything_and_counts_it(catalog: Catalog) -> None:
    assert catalog.spend("podcast", None, 5000, 0.0) == Grant(granted=5000, wait_s=0.0)
    assert catalog.spent("podcast", 0.0) == 5000


def test_a_budget_of_nothing_grants_nothing(catalog: Catalog) -> None:
    assert catalog.spend("youtube", 0, 1, 0.0) == Grant(granted=0, wait_s=3600.0)


def test_platforms_have_budgets_of_their_own(catalog: Catalog) -> None:
    catalog.spend("youtube", 10, 10, 0.0)
    assert catalog.spend("podcast", 10, 10, 0.0).granted == 10


def test_what_is_given_back_may_be_taken_again(catalog: Catalog) -> None:
    catalog.spend("youtube", 10, 10, 0.0)
    catalog.refund("youtube", 4, 1.0)
    assert catalog.spend("youtube", 10, 9, 2.0).granted == 4


def test_giving_back_never_frees_what_was_taken_last(catalog: Catalog) -> None:
    catalog.spend("youtube", 10, 5, 0.0)
    catalog.spend("youtube", 10, 5, 3000.0)
    catalog.refund("youtube", 5, 3001.0)
    catalog.spend("youtube", 10, 5, 3002.0)
    assert catalog.spent("youtube", 3700.0) == 10


def test_no_more_is_given_back_than_counts(catalog: Catalog) -> None:
    catalog.spend("youtube", 10, 3, 0.0)
    catalog.refund("youtube", 99, 1.0)
    assert catalog.spent("youtube", 1.0) == 0


def test_a_clock_that_runs_ahead_frees_nothing_for_the_others(catalog: Catalog) -> None:
    catalog.spend("youtube", 10, 10, 2000.0)
    assert catalog.spend("youtube", 10, 1, 100.0).granted == 0


@pytest.fixture(scope="module")
def one_catalog(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    with Catalog.open(f"sqlite:///{tmp_path_factory.mktemp('budget')}/catalog.db") as opened:
        yield opened


@settings(max_examples=25, deadline=None)
@given(
    name=st.uuids(),
    steps=st.lists(st.tuples(st.floats(0.0, 1500.0), st.integers(0, 12)), min_size=5, max_size=25),
)
def test_no_hour_sees_more_than_the_budget(one_catalog: Catalog, name, steps) -> None:  # type: ignore[no-untyped-def]
    now, granted = 0.0, []
    for pause, asked in steps:
        now += pause
        granted.append((now, one_catalog.spend(str(name), 20, asked, now).granted))
    for end, _count in granted:
        assert sum(count for at, count in granted if end - 3600 <= at <= end) <= 20


def test_what_is_known_of_a_way_is_kept(catalog: Catalog) -> None:
    assert catalog.egress("youtube") == {}
    resting = EgressState("b", "youtube", until=50.0, reason="rate", failures=2, rate_factor=0.5)
    catalog.save_egress([EgressState("a", "youtube"), resting, EgressState("a", "podcast", reason="bot")])
    assert catalog.egress("youtube") == {"a": EgressState("a", "youtube"), "b": resting}


def test_the_newest_state_of_a_way_counts(catalog: Catalog) -> None:
    catalog.save_egress([EgressState("a", "youtube", failures=3)])
    catalog.save_egress([EgressState("a", "youtube", rate_factor=0.25)])
    assert catalog.egress("youtube") == {"a": EgressState("a", "youtube", rate_factor=0.25)}
