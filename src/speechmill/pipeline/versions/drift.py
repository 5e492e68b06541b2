# SPDX-License-Identifier: Apache-2.0
"""How a score moved between two versions, over the segments that both have, kept or not."""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from speechmill.pipeline.expressions import Floats

_MOVED = 1e-6  # scores are float32; less is how a sum was ordered


class Drift(Struct, frozen=True):
    """How a score moved."""

    score: str
    segments: int  # that both have, with a value in both
    moved: float  # share of them whose value differs
    median_before: float
    median_after: float
    mean_difference: float
    gained: int  # had no value before
    lost: int
    stages: tuple[str, ...] = ()  # that differ by themselves and lie behind it


def drift_of(score: str, before: Floats, after: Floats, stages: tuple[str, ...] = ()) -> Drift:
    """Compare (num_segments,) values of the same segments; NaN where there is none."""
    both = ~np.isnan(before) & ~np.isnan(after)
    old, new = before[both], after[both]
    count = len(old)
    moved = np.abs(new - old) > _MOVED * np.maximum(1.0, np.abs(old))
    return Drift(
        score,
        count,
        float(moved.mean()) if count else 0.0,
        float(np.median(old)) if count else 0.0,
        float(np.median(new)) if count else 0.0,
        float((new - old).mean()) if count else 0.0,
        int((np.isnan(before) & ~np.isnan(after)).sum()),
        int((~np.isnan(before) & np.isnan(after)).sum()),
        stages,
    )
