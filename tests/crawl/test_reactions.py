# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from random import Random
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechmill.core.remote import Kind
from speechmill.crawl.reactions import REACTIONS, Breaker, next_try, waited

KINDS = get_args(Kind)


class Middle(Random):
    """Always says one half."""

    def random(self) -> float:
        return 0.5


def test_every_kind_has_a_reaction():
    assert set(REACTIONS) == set(KINDS)


@pytest.mark.parametrize(
    ("kind", "egress", "platform"),
    [
        ("permanent", "none", "none"),
        ("geo", "none", "none"),
        ("incomplete", "none", "none"),
        ("rate", "halve", "none"),
        ("bot", "stop", "none"),
        ("net", "quarantine", "none"),
        ("format", "none", "break"),
    ],
)
def test_each_kind_is_blamed_on_whose_fault_it_is(kind, egress, platform):
    assert (REACTIONS[kind].egress, REACTIONS[kind].platform) == (egress, platform)


@pytest.mark.parametrize("kind", ["permanent", "geo"])
def test_what_never_comes_is_never_tried_again(kind):
    assert next_try(kind, 1, 1000.0, None, Random(0)) is None
    assert next_try(kind, 1, 1000.0, 60.0, Random(0)) is None


def test_delays_grow_from_failure_to_failure_up_to_their_cap():
    delays = [next_try("incomplete", failures, 0.0, None, Middle()) for failures in (1, 2, 3, 4, 5, 6, 50)]
    assert delays == [11.25, 45.0, 180.0, 720.0, 2880.0, 4050.0, 4050.0]


def test_an_item_is_set_aside_after_its_last_try():
    assert next_try("net", 4, 0.0, None, Random(0), max_failures=5) is not None
    assert next_try("net", 5, 0.0, None, Random(0), max_failures=5) is None


def test_a_quicker_pace_shortens_delays_but_no_retry_after():
    assert next_try("net", 1, 0.0, None, Random(0), pace=0.0) == 0.0
    assert next_try("net", 1, 0.0, 60.0, Random(0), pace=0.0) >= 60.0


def test_a_retry_after_is_never_undercut():
    assert next_try("rate", 1, 100.0, 600.0, Middle()) == 100.0 + 600.0 * 1.125
    assert next_try("rate", 1, 100.0, 1.0, Middle()) == 100.0 + 15.0 * 1.125


@pytest.mark.parametrize(
    ("said", "honoured"), [(None, 0.0), (-5.0, 0.0), (math.nan, 0.0), (90.0, 90.0), (math.inf, 604_800.0)]
)
def test_a_retry_after_that_means_nothing_waits_for_no_more_than_a_week(said, honoured):
    assert waited(said) == honoured


@given(st.sampled_from(KINDS), st.integers(1, 10_000), st.none() | st.floats(), st.integers())
def test_a_next_try_is_later_and_soon_enough_to_be_seen(kind, failures, retry_after, seed):
    at = next_try(kind, failures, 1e9, retry_after, Random(seed))
    assert at is None or 1e9 + 5.0 <= at <= 1e9 + 1.25 * 7 * 86_400
    assert at is not None or kind in ("permanent", "geo")
    assert at is None or at - 1e9 >= min(waited(retry_after), 604_800.0)


def failed_in_a_row(count: int, breaker: Breaker, now: float = 0.0) -> Breaker:
    for item in range(count):
        breaker.report(f"item-{item}", "format", now)
    return breaker


def test_a_platform_pauses_after_so_many_unreadable_items_in_a_row():
    breaker = failed_in_a_row(4, Breaker("youtube"))
    assert breaker.allows("next", 0.0)
    assert not breaker.advice
    breaker.report("item-4", "format", 100.0)
    assert not breaker.allows("next", 100.0)
    assert breaker.next_at(100.0) == 1900.0
    assert "youtube: 5 items in a row" in breaker.advice
    assert "pip install --upgrade" in breaker.advice


def test_one_item_that_stays_unreadable_pauses_nothing():
    breaker = Breaker("youtube")
    for _ in range(20):
        breaker.report("same", "format", 0.0)
    assert breaker.allows("next", 0.0)


def test_a_success_between_starts_the_count_again():
    breaker = failed_in_a_row(4, Breaker("youtube"))
    breaker.report("good", None, 0.0)
    failed_in_a_row(4, breaker)
    assert not breaker.is_open


def test_other_kinds_of_error_neither_count_nor_start_the_count_again():
    breaker = failed_in_a_row(4, Breaker("youtube"))
    for kind in ("permanent", "geo", "incomplete", "rate", "bot", "net"):
        breaker.report("other", kind, 0.0)
    assert not breaker.is_open
    breaker.report("item-4", "format", 0.0)
    assert breaker.is_open


def test_a_paused_platform_is_probed_with_one_item_at_a_time():
    breaker = failed_in_a_row(5, Breaker("youtube"))
    assert not breaker.allows("a", 1799.0)
    assert breaker.allows("a", 1800.0)
    assert breaker.allows("a", 1800.0)
    assert not breaker.allows("b", 1800.0)
    breaker.report("a", "net", 1801.0)
    assert breaker.allows("b", 1801.0)


def test_a_probe_that_is_unreadable_too_pauses_for_twice_as_long():
    breaker = failed_in_a_row(5, Breaker("youtube"))
    assert breaker.allows("a", 1800.0)
    breaker.report("a", "format", 2000.0)
    assert breaker.next_at(2000.0) == 5600.0


def test_what_was_under_way_when_it_paused_makes_the_pause_no_longer():
    breaker = failed_in_a_row(5, Breaker("youtube"))
    breaker.report("late", "format", 600.0)
    assert breaker.next_at(600.0) == 1800.0


def test_a_success_opens_the_platform_again():
    breaker = failed_in_a_row(5, Breaker("youtube"))
    breaker.report("late", None, 10.0)
    assert breaker.allows("a", 10.0)
    assert breaker.allows("b", 10.0)
    assert not breaker.advice
