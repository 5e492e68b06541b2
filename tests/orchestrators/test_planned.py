# SPDX-License-Identifier: Apache-2.0
"""How shards are shared out among tasks, and which recordings a run of some dates works on."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechmill.core.errors import ConfigError
from speechmill.core.types import Source
from speechmill.pipeline.orchestrate_options import MOST_TASKS
from speechmill.pipeline.planned import ranges
from speechmill.pipeline.run import Dates


def numbers(written):
    first, _, last = written.partition("..")
    return range(int(first), int(last or first) + 1)


def source(date):
    return Source(id="a", uri="a.wav", key="a", date=date)


@settings(deadline=None)  # machines differ
@given(st.integers(0, 20_000), st.integers(1, MOST_TASKS))
def test_each_shard_is_in_one_range_in_order_and_no_range_is_much_longer(shards, tasks):
    found = [numbers(one) for one in ranges(shards, tasks)]
    assert [number for one in found for number in one] == list(range(shards))
    assert len(found) == min(shards, tasks)
    if found:
        assert max(map(len, found)) - min(map(len, found)) <= 1


def test_five_thousand_shards_are_a_thousand_tasks_of_five():
    found = ranges(5000, MOST_TASKS)
    assert len(found) == 1000
    assert (found[0], found[1], found[-1]) == ("0..4", "5..9", "4995..4999")


@pytest.mark.parametrize(
    ("dates", "held"),
    [
        (Dates(), [None, "2026-10-31", "2026-11-01", "2026-11-02"]),
        (Dates("2026-11-01", "2026-11-02"), ["2026-11-01"]),
        (Dates(since="2026-11-01"), ["2026-11-01", "2026-11-02"]),
        (Dates(until="2026-11-01"), ["2026-10-31"]),
    ],
)
def test_dates_hold_from_the_first_to_before_the_last(dates, held):
    given_dates = [None, "2026-10-31", "2026-11-01", "2026-11-02"]
    assert [date for date in given_dates if dates.hold(source(date))] == held


def test_windows_side_by_side_hold_each_recording_once():
    windows = [Dates(f"2026-11-{day:02d}", f"2026-11-{day + 1:02d}") for day in range(1, 4)]
    for day in ("2026-11-01", "2026-11-02", "2026-11-03"):
        assert sum(one.hold(source(day)) for one in windows) == 1


def test_dates_are_read_as_they_are_compared():
    assert Dates.read("20261101", None) == Dates("2026-11-01")
    assert Dates.read("", "2026-11-02") == Dates(until="2026-11-02")
    for written in ("2026-11-1", "2026-11-31", "2026-11-01T06:00:00", "yesterday"):
        with pytest.raises(ConfigError, match=f"--until {written}: a date such as 2026-11-01"):
            Dates.read(None, written)
