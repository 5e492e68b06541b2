# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binomtest

from speechmill.pipeline.sample.estimates import Judged, estimate, wilson

HUGE = 10**9  # so large that drawing from it doesn't shrink it


@pytest.mark.parametrize(("true", "number"), [(0, 10), (1, 10), (90, 100), (100, 100), (7, 200)])
def test_the_interval_is_wilsons_as_scipy_has_it(true: int, number: int) -> None:
    expected = binomtest(true, number).proportion_ci(method="wilson")
    assert wilson(true / number, number) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize(("true", "number"), [(0, 10), (90, 100), (100, 100), (7, 200)])
def test_of_one_large_stratum_the_estimate_is_plain_wilson(true: int, number: int) -> None:
    found = estimate([Judged(HUGE, number, true)])
    expected = binomtest(true, number).proportion_ci(method="wilson")
    assert found is not None
    assert (found.share, found.low, found.high) == pytest.approx((true / number, expected.low, expected.high), abs=1e-6)


def test_strata_count_by_their_size() -> None:
    found = estimate([Judged(900, 10, 9), Judged(100, 10, 5)])
    assert found is not None
    assert found.share == pytest.approx(0.9 * 0.9 + 0.1 * 0.5)


def test_the_variance_is_cochrans_for_strata() -> None:
    # W = 0.9, 0.1; p = 0.5, 1.0; f = 10/900, 10/100; each variance (1 - f) p (1 - p) / (n - 1)
    variance = 0.81 * (1 - 10 / 900) * 0.25 / 9
    share = 0.9 * 0.5 + 0.1
    effective = 20 * (share * (1 - share) / 19) / variance
    found = estimate([Judged(900, 10, 5), Judged(100, 10, 10)])
    assert found is not None
    assert (found.low, found.high) == pytest.approx(wilson(share, effective))


def test_no_more_is_claimed_than_the_weights_allow() -> None:
    # By their variance, of which the large stratum has none, these would say as much as hundreds of verdicts.
    effective = 1 / (0.95**2 * (1 - 100 / 9500) / 100 + 0.05**2 * (1 - 100 / 500) / 100)
    found = estimate([Judged(9500, 100, 100), Judged(500, 100, 50)])
    assert found is not None
    assert (found.low, found.high) == pytest.approx(wilson(0.975, effective))


def test_of_everything_judged_nothing_is_unsure() -> None:
    found = estimate([Judged(10, 10, 9), Judged(10, 10, 10)])
    assert found is not None
    assert (found.share, found.low, found.high) == (0.95, 0.95, 0.95)


def test_a_stratum_without_verdicts_is_left_out() -> None:
    assert estimate([Judged(50, 0, 0)]) is None
    assert estimate([Judged(50, 0, 0), Judged(100, 10, 9)]) == estimate([Judged(100, 10, 9)])


def test_no_fault_seen_is_not_no_fault() -> None:
    found = estimate([Judged(500, 50, 0), Judged(500, 50, 0)])
    assert found is not None
    assert (found.share, found.low) == (0.0, 0.0)
    assert 0.02 < found.high < 0.04  # three of a hundred, as the rule of three says


@pytest.mark.parametrize(
    ("sizes", "rates", "drawn"),
    [
        ((10_000,), (0.97,), (200,)),
        ((9000, 900, 100), (0.97, 0.9, 0.6), (178, 18, 4)),
        ((9000, 900, 100), (0.97, 0.9, 0.6), (100, 60, 40)),
        ((9500, 500), (0.985, 0.5), (100, 100)),
        ((2000,) * 5, (0.99, 0.98, 0.97, 0.95, 0.8), (40,) * 5),
        ((100,) * 100, (0.95,) * 100, (2,) * 100),
    ],
)
def test_the_interval_holds_the_truth_nineteen_times_in_twenty(
    sizes: tuple[int, ...], rates: tuple[float, ...], drawn: tuple[int, ...]
) -> None:
    rng = np.random.default_rng(7)
    true = [round(size * rate) for size, rate in zip(sizes, rates, strict=True)]
    share = sum(true) / sum(sizes)
    hits = 0
    for _ in range(500):
        seen = [rng.hypergeometric(t, n - t, k) for t, n, k in zip(true, sizes, drawn, strict=True)]
        found = estimate([Judged(n, k, int(s)) for n, k, s in zip(sizes, drawn, seen, strict=True)])
        assert found is not None
        hits += found.low <= share <= found.high
    assert hits / 500 >= 0.93  # of 500 trials at 95 %, two deviations less


def test_a_single_verdict_has_an_interval() -> None:
    found = estimate([Judged(100, 1, 1), Judged(100, 1, 0)])
    assert found is not None
    assert found.share == 0.5
    assert 0.0 <= found.low < 0.2
    assert 0.8 < found.high <= 1.0
    assert not math.isnan(found.low)
