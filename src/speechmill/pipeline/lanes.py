# SPDX-License-Identifier: Apache-2.0
"""Who was at what when: seconds of work by lane (a worker, a shard), stage and bin of time, in bounded memory.

There are always BINS bins. When a run outlasts them, two become one: a minute has bins of 0.2 s, a day of 5 minutes.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from itertools import chain

BINS = 480
FINEST_S = 0.05
MOST_LANES = 120
OTHERS = "others"  # the lane of those that have been idle for longest, where there are too many


class Lanes:
    """Lanes by name, in the order in which they came."""

    def __init__(self) -> None:
        self.origin = math.inf  # seconds since the epoch, at the first bin's left edge
        self.end = -math.inf  # of the last work
        self.width = FINEST_S
        self._lanes: dict[str, dict[str, array[float]]] = {}
        self._seen: dict[str, float] = {}  # when a lane last had work

    @property
    def names(self) -> list[str]:
        """The lanes there are."""
        return list(self._lanes)

    def add(self, lane: str, stage: str, begin: float, end: float) -> None:
        """Count in work from begin to end, in seconds since the epoch."""
        if lane not in self._lanes and len(self._seen) >= MOST_LANES:
            self._merge(self.latest(MOST_LANES)[-1])
        if begin < self.origin or end > self.end:
            self._make_room(begin, end)
        self._seen[lane] = max(end, self._seen.get(lane, end))
        bins = self._lanes.setdefault(lane, {}).setdefault(stage, array("d", bytes(8 * BINS)))
        first, last = self._bin(begin), self._bin(end)
        if first == last:
            bins[first] += end - begin
            return
        bins[first] += self.origin + (first + 1) * self.width - begin
        bins[last] += end - self.origin - last * self.width
        for i in range(first + 1, last):
            bins[i] += self.width

    def latest(self, most: int) -> list[str]:
        """Name the lanes that had work last, latest first; of all others together nothing is said."""
        return sorted(self._seen, key=lambda name: -self._seen[name])[:most]

    def used(self) -> int:
        """Return how many bins, from the left, have had their time."""
        return self._bin(self.end) + 1 if self._lanes else 0

    def busy(self, lane: str) -> dict[str, array[float]]:
        """Return seconds of work by stage and bin."""
        return self._lanes.get(lane, {})

    def shares(self, lane: str, columns: int) -> Iterator[dict[str, float]]:
        """Yield, for each of so many equal parts of the time, each stage's share of one worker's time (0..1, or more).

        Parts that are narrower than a bin share it.
        """
        used = self.used()
        busy = self.busy(lane)
        for column in range(columns):
            first = column * used // columns
            last = max(first + 1, (column + 1) * used // columns)
            seconds = (last - first) * self.width
            yield {stage: total / seconds for stage, bins in busy.items() if (total := sum(bins[first:last])) > 0}

    def _merge(self, lane: str) -> None:
        """Add a lane to that of the others."""
        del self._seen[lane]
        others = self._lanes.setdefault(OTHERS, {})
        for stage, bins in self._lanes.pop(lane).items():
            total = others.setdefault(stage, array("d", bytes(8 * BINS)))
            for i, seconds in enumerate(bins):
                total[i] += seconds

    def _bin(self, time: float) -> int:
        return min(BINS - 1, max(0, int((time - self.origin) / self.width)))

    def _make_room(self, begin: float, end: float) -> None:
        if not self._lanes:
            self.origin = begin
        earliest, self.end = min(begin, self.origin), max(end, self.end)
        while self.end - earliest >= (BINS - 1) * self.width:
            self._double()
        if begin < self.origin:
            self._shift(math.ceil((self.origin - begin) / self.width))

    def _double(self) -> None:
        self.width *= 2
        for bins in self._all():
            for i in range(BINS // 2):
                bins[i] = bins[2 * i] + bins[2 * i + 1]
            bins[BINS // 2 :] = array("d", bytes(8 * (BINS - BINS // 2)))

    def _shift(self, by: int) -> None:
        self.origin -= by * self.width
        for bins in self._all():
            bins[:] = array("d", bytes(8 * by)) + bins[:-by]

    def _all(self) -> Iterator[array[float]]:
        return chain.from_iterable(stages.values() for stages in self._lanes.values())
