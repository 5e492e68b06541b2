# SPDX-License-Identifier: Apache-2.0
"""From a stratified sample to a share of the whole, with a 95 % interval.

The estimate is the stratified one, each stratum's share weighted by its size, its variance with the finite population
correction (Cochran, Sampling Techniques, 1977, chapter 5). The interval is Wilson's (1927) for the effective number of
verdicts, which is theirs divided by the design effect (Korn and Graubard, Survey Methodology 24, 1998; Franco et al.,
J. Survey Statistics and Methodology 7, 2019), and never more than the weights alone allow (Kish 1992): where nearly
everything is good, a large stratum without a single fault would make the variance too small. So what strata gain isn't
claimed, and of one stratum it is plain Wilson. Segments of one recording are taken for independent, which they aren't
quite: with few recordings the true interval is wider.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

_Z = 1.959963984540054  # of a standard normal, 95 % lie within


class Judged(Struct, frozen=True):
    """A stratum: its segments, how many were judged, and of how many the thing asked for is true."""

    population: int
    judged: int
    true: int


class Estimate(Struct, frozen=True):
    """A share, 0..1, and between which values it lies with 95 % confidence."""

    share: float
    low: float
    high: float


def wilson(share: float, number: float) -> tuple[float, float]:
    """Return the 95 % interval of a share that was seen in `number` trials (Wilson, JASA 22, 1927).

    >>> [round(value, 4) for value in wilson(0.9, 100)]
    [0.8256, 0.9448]
    """
    if number <= 0:
        return 0.0, 1.0
    if math.isinf(number):
        return share, share
    z2 = _Z * _Z
    middle = (share + z2 / (2 * number)) / (1 + z2 / number)
    half = _Z / (1 + z2 / number) * math.sqrt(share * (1 - share) / number + z2 / (4 * number * number))
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))


def estimate(strata: Sequence[Judged]) -> Estimate | None:
    """Estimate the share of the segments of strata that were judged at all; None where none was."""
    seen = [one for one in strata if one.judged]
    if not seen:
        return None
    population = sum(one.population for one in seen)
    share = sum(one.population / population * one.true / one.judged for one in seen)
    return Estimate(share, *wilson(share, _effective(seen, population, share)))


def _effective(strata: Sequence[Judged], population: int, share: float) -> float:
    """Return how many verdicts of a simple random sample of a large population say as much as these."""
    judged = sum(one.judged for one in strata)
    squares = [((one.population / population) ** 2 * (1 - one.judged / one.population), one) for one in strata]
    if judged == population:
        return math.inf
    by_weights = 1 / sum(square / one.judged for square, one in squares)
    variance = sum(square * _variance(one, share) for square, one in squares)
    # Of a simple random sample the variance is share (1 - share) / (judged - 1).
    by_variance = judged * share * (1 - share) / max(judged - 1, 1) / variance if variance > 0 else math.inf
    return min(by_weights, by_variance)


def _variance(one: Judged, whole: float) -> float:
    """Return the variance of a stratum's share; of one verdict, which tells none, with the whole's spread."""
    share = one.true / one.judged
    return share * (1 - share) / (one.judged - 1) if one.judged > 1 else whole * (1 - whole)
