# SPDX-License-Identifier: Apache-2.0
"""Hashes of landmarks: a peak and two that follow it, so coarse that a change of speed by 3 % leaves most as they are.

Of a longer recording some hashes are enough. Which ones is decided by the hash itself, so that copies agree on them.
Source: Wang, ISMIR 2003 (pairs of peaks); Six & Leman, "Panako", ISMIR 2014 (three of them, for speed).
"""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from speechmill.measures._bags import mixed
from speechmill.measures.landmarks import OCTAVE, TICKS, Peaks

_FOLLOWERS = 6  # each peak is put together with pairs of so many that follow
_LONGEST = 0.64 * TICKS  # from first to last
_SHORTEST = 0.024 * TICKS
_HEIGHT = OCTAVE / 12  # how coarse: of the first peak's frequency; 3 % are half a step
_INTERVAL = OCTAVE / 24  # of the others' above it: playing faster moves all alike
_MOMENT = 0.036 * TICKS  # of times between them: 3 % of 0.64 s are half a step


class Hashes(NamedTuple):
    """Hashes of a recording and the peaks that they begin with, in no order."""

    hash: NDArray[np.uint32]  # (num_hashes,)
    peak: NDArray[np.int64]  # (num_hashes,) index of the first peak


def hashes(peaks: Peaks) -> Hashes:
    """Return all hashes of a recording."""
    found = [(np.zeros(0, np.uint64), np.zeros(0, np.int64))]
    for second, third in combinations(range(1, _FOLLOWERS + 1), 2):
        found.append(_of(peaks, second, third))
    values = np.concatenate([one for one, _ in found])
    return Hashes((mixed(values) >> np.uint64(32)).astype(np.uint32), np.concatenate([peak for _, peak in found]))


def _of(peaks: Peaks, second: int, third: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    time, height = peaks.time, peaks.frequency
    first = np.arange(max(0, len(time) - third))
    to_second, to_third = time[first + second] - time[first], time[first + third] - time[first]
    good = (to_second >= _SHORTEST) & (to_third - to_second >= _SHORTEST) & (to_third <= _LONGEST)
    first, to_second, to_third = first[good], to_second[good], to_third[good]
    parts = (
        np.floor(height[first] / _HEIGHT),
        np.rint((height[first + second] - height[first]) / _INTERVAL) + 256,
        np.rint((height[first + third] - height[first]) / _INTERVAL) + 256,
        np.rint(to_second / _MOMENT),
        np.rint(to_third / _MOMENT),
    )
    value = np.zeros(len(first), np.uint64)
    for part in parts:
        value = value * np.uint64(512) + part.astype(np.uint64)
    return value, first


def sampled(found: Hashes, level: int) -> Hashes:
    """Keep one in 2**level; what is kept at a level is kept at those below."""
    kept = (found.hash & np.uint32((1 << level) - 1)) == 0
    return Hashes(found.hash[kept], found.peak[kept])
