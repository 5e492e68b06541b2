# SPDX-License-Identifier: Apache-2.0
"""Stage `quality.<metric>`: one node of the graph per metric, so that adding one computes one."""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from speechmill.core.columns import GAPS, SCORES, adds_rows_or_columns
from speechmill.core.conditions import holds
from speechmill.core.errors import Unscorable
from speechmill.core.registry import Choice
from speechmill.core.stage import Item, Patch, Resources
from speechmill.core.timebase import CANONICAL_HZ, tick
from speechmill.core.types import Interval, Utterance
from speechmill.quality import Cut
from speechmill.stages.glue import Glue
from speechmill.stages.reference import Reference


class Quality(Glue):
    """Scores the audio of each cut segment."""

    def __init__(self, choice: Choice, offered: Sequence[str] = ()) -> None:
        """Take the metric, and which columns other stages of this plan write."""
        super().__init__((choice,))
        self._more = tuple(column for column in getattr(choice.module, "READS", ()) if column in offered)
        self.reads = tuple(dict.fromkeys(("audio", "speech", "segments", *self._more)))
        self.name = f"quality.{choice.backend}"
        self.scores = tuple(choice.module.COLUMNS)
        self.writes = (*(SCORES + name for name in self.scores), GAPS + self.name)
        self.resources = Resources(cost=getattr(choice.module, "COST", 0.01), timeout_per_audio_s=10.0)

    def work(self, item: Item) -> Patch:
        when, segments = self.choices[0].when, item.columns["segments"]
        rows: list[tuple[dict[str, float], str | None]]
        if not holds(when, item.source):
            rows = [({}, f"not-asked-for: only when {when}")] * len(segments)
        else:
            speech = by_channel(item.columns["speech"])
            with Reference(item.source) as reference:
                rows = [self._score(self._cut(item, i, speech, reference)) for i in range(len(segments))]
        columns = {SCORES + name: tuple(values.get(name) for values, _gap in rows) for name in self.scores}
        return Patch({**columns, GAPS + self.name: tuple(gap for _values, gap in rows)})

    def _cut(self, item: Item, row: int, speech: Mapping[int, Sequence[Interval]], reference: Reference) -> Cut:
        segment: Utterance = item.columns["segments"][row]
        start, duration, channel = segment.start or 0.0, segment.duration or 0.0, segment.channel
        read = item.opened().read
        return Cut(
            read(start, duration, channel=channel),
            segment,
            clip(near(speech.get(channel, ()), start, duration), start, duration, channel),
            segment.language or item.source.language,
            {name: _of_row(name, item.columns[name], row) for name in self._more},
            partial(read, start, duration, channel=channel, sampling_rate=CANONICAL_HZ),
            partial(reference.read, start, duration, channel),
        )

    def _score(self, cut: Cut) -> tuple[dict[str, float], str | None]:
        try:
            values = self.backend().score(cut)
        except Unscorable as error:
            return {}, str(error)
        bad = [name for name in self.scores if not math.isfinite(values[name])]
        # Six decimals: below every model's own noise, and equal on machines that differ in the last bit.
        return {name: round(float(values[name]), 6) for name in self.scores if name not in bad}, (
            f"not-finite: {', '.join(bad)}" if bad else None
        )


def _of_row(name: str, values: Any, row: int) -> Any:
    return values[row] if adds_rows_or_columns(name) else values


def by_channel(speech: Sequence[Interval]) -> dict[int, list[Interval]]:
    """Part speech by channel, each in the order of time."""
    found: dict[int, list[Interval]] = {}
    for interval in sorted(speech, key=lambda interval: interval.start):
        found.setdefault(interval.channel, []).append(interval)
    return found


def near(speech: Sequence[Interval], start: float, duration: float) -> Sequence[Interval]:
    """Return what of one channel's ordered, disjoint speech may reach into a stretch: ten hours have many segments."""
    first = bisect.bisect_left(speech, start, key=lambda interval: interval.end)
    last = bisect.bisect_right(speech, start + duration, key=lambda interval: interval.start)
    return speech[first:last]


def clip(speech: Sequence[Interval], start: float, duration: float, channel: int) -> list[Interval]:
    """Return one channel's speech inside [start, start + duration], counted from its start."""
    inside = []
    for interval in speech:
        begin, end = max(interval.start, start), min(interval.end, start + duration)
        if interval.channel == channel and end > begin:
            inside.append(Interval(tick(begin - start), tick(end - begin), channel))
    return inside
