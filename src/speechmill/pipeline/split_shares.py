# SPDX-License-Identifier: Apache-2.0
"""Sharing groups out to dev and test so that each has its share of all hours and of every stratum's.

Greedy: of the next groups by lot that still fit, the one that brings a split nearest to what it should have of each
stratum. What is left is for training, which keeps at least half.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from speechmill.core.types import SPLITS
from speechmill.pipeline.expressions import Floats

_LOOKED_AT = 64  # groups that are compared for one place
_FULL = 0.98  # of its share: then a split takes no more
_TRAIN, _DEV, _TEST = (SPLITS.index(name) for name in ("train", "dev", "test"))


def share_out(groups: Floats, mine: Floats, shares: tuple[float, float]) -> NDArray[np.int64]:
    """Return the split of each group.

    groups: (num_groups, num_strata), in the order of the lot; the first column is the whole, the others are its parts.
    mine: (num_splits, num_strata) what splits have already. shares: of dev and test.
    """
    found = np.full(len(groups), _TRAIN)
    total = groups.sum(axis=0) + mine.sum(axis=0)
    wanted = {_DEV: shares[0] * total, _TEST: shares[1] * total}
    for split in (_TEST, _DEV):
        if wanted[split][0] > 0:
            found[_fill(groups, found == _TRAIN, wanted[split] - mine[split], wanted[split][0])] = split
    for split in (_TEST, _DEV):
        if wanted[split][0] > 0 and mine[split, 0] == 0 and not groups[found == split, 0].any():
            _give_smallest(groups, found, mine, split)
    return found


def _fill(groups: Floats, free: NDArray[np.bool_], need: Floats, wanted: float) -> list[int]:
    """Choose groups that together come near `need` and don't go beyond it as a whole."""
    need = need.copy()
    waiting = np.flatnonzero(free & (groups[:, 0] > 0) & (groups[:, 0] <= need[0])).tolist()
    window: list[int] = []
    chosen: list[int] = []
    at = 0
    while need[0] > (1 - _FULL) * wanted:
        window = [one for one in window if groups[one, 0] <= need[0]]
        while len(window) < _LOOKED_AT and at < len(waiting):
            if groups[waiting[at], 0] <= need[0]:
                window.append(waiting[at])
            at += 1
        if not window:
            break
        some = groups[window]
        nearer = (np.abs(need) - np.abs(need - some)).sum(axis=1) / some[:, 0]
        best = window.pop(int(nearer.argmax()))
        chosen.append(best)
        need -= groups[best]
    return chosen


def _give_smallest(groups: Floats, found: NDArray[np.int64], mine: Floats, split: int) -> None:
    """Give an empty split the smallest group, though it is more than its share, where training keeps half of all."""
    free = np.flatnonzero((found == _TRAIN) & (groups[:, 0] > 0))
    if not len(free):
        return
    smallest = free[groups[free, 0].argmin()]
    training = mine[_TRAIN, 0] + groups[free, 0].sum() - groups[smallest, 0]
    if training >= (groups[:, 0].sum() + mine[:, 0].sum()) / 2:
        found[smallest] = split
