# SPDX-License-Identifier: Apache-2.0
"""Rows of the segments table that something leaves out, by reason."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from speechmill.pipeline.expressions import Floats, Truths


class Dropped(NamedTuple):
    """Rows that are left out for one reason, each with what it had and what it had to have (NaN: nothing to say)."""

    rule: str
    rows: NDArray[np.int64]  # (num_dropped,), ascending
    values: Floats  # (num_dropped,)
    thresholds: Floats  # (num_dropped,)


def kept(num_rows: int, found: Iterable[Dropped]) -> Truths:
    """Tell which rows no reason leaves out: (num_rows,) bool."""
    mask = np.ones(num_rows, dtype=bool)
    for dropped in found:
        mask[dropped.rows] = False
    return mask
