# SPDX-License-Identifier: Apache-2.0
"""Clipping: the share of samples that a converter or limiter cut off, at full scale or below it.

At full scale a sample is clipped. Audio that was clipped and then turned down has its plateau lower: there samples
pile up at a level that hardly any exceeds, while speech by itself has ever fewer samples the louder they are. Above
and below zero are judged apart. Resampling, as into canonical audio, rounds a plateau by some percent and hides what is
rare: at 1 % of clipped samples all of 32 readings were found, at 0.3 % two of three, at 0.1 % under half, and in 9 of
100 unclipped ones up to 0.04 % were taken for clipped. A steady tone piles up too, and looks clipped.
"""

from __future__ import annotations

import numpy as np

from speechmill.core.errors import Unscorable
from speechmill.core.stage import Samples

FULL_SCALE = 0.985  # resampling leaves a clipped peak a little below 1
PLATEAU = 0.05  # a plateau's half width, of its level: resampling ripples it
BELOW = 0.10  # the stretch of levels below a plateau that it is compared with, of its level
PILE = 1.5  # times as dense as the levels below
MOST_OVER = 0.3  # samples above a plateau, for one in it
LEAST = 8  # samples in a plateau
LOWEST = 0.6  # of the peak: a plateau is near it
QUIETEST = 1e-3  # 30 steps of 16 bits: below, levels are coarser than a plateau


def clipping(samples: Samples) -> float:
    """Return the share of clipped samples, 0..1.

    samples: (num_samples,) in [-1, 1], mono. Raises Unscorable("too-short") where there are none.
    """
    if not len(samples):
        raise Unscorable("too-short", "no samples")
    return sum(_clipped(np.sort(side)) for side in (samples, -samples)) / len(samples)


def _clipped(ordered: Samples) -> int:
    """Count the clipped samples above zero. ordered: ascending."""

    def at_least(level: float) -> int:
        return len(ordered) - int(np.searchsorted(ordered, level))

    peak, at_full_scale = float(ordered[-1]), at_least(FULL_SCALE)
    if peak < QUIETEST:
        return 0
    most, found = 0, 0
    for level in np.arange(1.0, LOWEST, -0.01) * peak:
        over, here = at_least(level * (1 + PLATEAU)), at_least(level * (1 - PLATEAU))
        inside, below = here - over, at_least(level * (1 - PLATEAU - BELOW)) - here
        piled = inside >= LEAST and inside / (2 * PLATEAU) >= PILE * below / BELOW and over <= MOST_OVER * inside
        if piled and inside > most:
            most, found = inside, here
    return max(found, at_full_scale)
