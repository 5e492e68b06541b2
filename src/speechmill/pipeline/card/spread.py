# SPDX-License-Identifier: Apache-2.0
"""How values lie: quantiles and a histogram, drawn with letters so that the Hub and a terminal show the same."""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from speechmill.pipeline.expressions import Floats
from speechmill.pipeline.filter import round_step

_BINS = 12
_WIDTH = 32  # letters of the longest bar
_EIGHTHS = " ▏▎▍▌▋▊▉"


class Spread(Struct, frozen=True):
    """How the values of a column lie."""

    name: str
    unit: str
    count: int
    missing: int
    low: float = 0.0  # 10 of 100 are below it
    median: float = 0.0
    high: float = 0.0  # 10 of 100 are above it
    edges: tuple[float, ...] = ()  # of the bars; what lies outside is in the outer ones
    bars: tuple[int, ...] = ()


def spread_of(name: str, unit: str, values: Floats) -> Spread:
    """Describe (num_values,) values, NaN where missing."""
    known = values[~np.isnan(values)]
    if len(known) == 0:
        return Spread(name, unit, 0, len(values))
    low, median, high = (float(one) for one in np.quantile(known, [0.1, 0.5, 0.9]))
    first, last = (float(one) for one in np.quantile(known, [0.01, 0.99]))
    step = round_step((last - first) / _BINS) if last > first else 1.0
    edges = np.arange(np.floor(first / step), np.floor(last / step) + 2) * step
    bars = np.histogram(np.clip(known, edges[0], edges[-1]), edges)[0]
    return Spread(
        name,
        unit,
        len(known),
        len(values) - len(known),
        low,
        median,
        high,
        tuple(round(float(edge), 10) for edge in edges),
        tuple(int(bar) for bar in bars),
    )


def drawn(spread: Spread) -> list[str]:
    """Draw a histogram, a line for each bar.

    >>> drawn(Spread("snr_db", "dB", 5, 0, edges=(0.0, 10.0, 20.0), bars=(1, 4)))
    [' 0 – 10  ████████                          1', '10 – 20  ████████████████████████████████  4']
    """
    if not spread.bars:
        return []
    names = [f"{edge:g}" for edge in spread.edges]
    width = max(map(len, names))
    most, digits = max(spread.bars), len(f"{max(spread.bars):,}")
    return [
        f"{names[i]:>{width}} – {names[i + 1]:>{width}}  {_bar(bar / most):<{_WIDTH}}  {bar:>{digits},}"
        for i, bar in enumerate(spread.bars)
    ]


def _bar(share: float) -> str:
    whole, part = divmod(round(share * _WIDTH * 8), 8)
    return "█" * whole + (_EIGHTHS[part] if part else "")
