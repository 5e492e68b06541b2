# SPDX-License-Identifier: Apache-2.0
"""Stage `quality.<metric>`: one node of the graph per metric, so that adding one computes one."""

from __future__ import annotations

import math
from collections.abc import Sequence

from speechmill.core.columns import GAPS, SCORES
from speechmill.core.conditions import holds
from speechmill.core.errors import Unscorable
from speechmill.core.registry import Choice
from speechmill.core.stage import Item, Patch, Resources
from speechmill.core.timebase import tick
from speechmill.core.types import Interval, Utterance
from speechmill.stages.glue import Glue


class Quality(Glue):
    """Scores the audio of each cut segment."""

    reads = ("audio", "speech", "segments")

    def __init__(self, choice: Choice) -> None:
        super().__init__((choice,))
        self.name = f"quality.{choice.backend}"
        self.scores = tuple(choice.module.COLUMNS)
        self.writes = (*(SCORES + name for name in self.scores), GAPS + self.name)
        self.resources = Resources(cost=getattr(choice.module, "COST", 0.01), timeout_per_audio_s=10.0)

    def work(self, item: Item) -> Patch:
        when = self.choices[0].when
        if not holds(when, item.source):
            rows: list[tuple[dict[str, float], str | None]]
            rows = [({}, f"not-asked-for: only when {when}")] * len(item.columns["segments"])
        else:
            rows = [self._score(item, segment) for segment in item.columns["segments"]]
        columns = {SCORES + name: tuple(values.get(name) for values, _gap in rows) for name in self.scores}
        return Patch({**columns, GAPS + self.name: tuple(gap for _values, gap in rows)})

    def _score(self, item: Item, segment: Utterance) -> tuple[dict[str, float], str | None]:
        start, duration = segment.start or 0.0, segment.duration or 0.0
        samples = item.opened().read(start, duration, channel=segment.channel)
        speech = clip(item.columns["speech"], start, duration, segment.channel)
        try:
            values = self.backend().score(samples, segment, speech)
        except Unscorable as error:
            return {}, str(error)
        bad = [name for name in self.scores if not math.isfinite(values[name])]
        # Six decimals: below every model's own noise, and equal on machines that differ in the last bit.
        return {name: round(float(values[name]), 6) for name in self.scores if name not in bad}, (
            f"not-finite: {', '.join(bad)}" if bad else None
        )


def clip(speech: Sequence[Interval], start: float, duration: float, channel: int) -> list[Interval]:
    """Return one channel's speech inside [start, start + duration], counted from its start."""
    inside = []
    for interval in speech:
        begin, end = max(interval.start, start), min(interval.end, start + duration)
        if interval.channel == channel and end > begin:
            inside.append(Interval(tick(begin - start), tick(end - begin), channel))
    return inside
