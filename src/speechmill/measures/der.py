# SPDX-License-Identifier: Apache-2.0
"""Diarization error rate, exact on the timeline: no frames.

Follows NIST md-eval (RT-09 evaluation plan) and pyannote.metrics: speakers are mapped one to one
so that the time in common is largest; a collar around each reference boundary and, if asked,
reference overlap are left out of the scored region. Reading RTTM is `formats.rttm`'s job.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from msgspec import Struct

from speechmill.core.types import Interval, Turn
from speechmill.measures.assignment import assign

_UEM, _COLLAR, _REFERENCE, _HYPOTHESIS = range(4)
_Event = tuple[float, int, int, str]  # time, +1 starts or -1 ends, kind, speaker


class Der(Struct, frozen=True):
    """Seconds of error, and of reference speech, inside the scored region. Speech of two at once counts twice."""

    miss: float
    false_alarm: float
    confusion: float
    total: float
    mapping: dict[str, str] = {}  # hypothesis speaker -> reference speaker, where they share scored time

    @property
    def rate(self) -> float:
        """(miss + false alarm + confusion) / total. Without any reference speech: 0 if all is silent, else 1."""
        wrong = self.miss + self.false_alarm + self.confusion
        if self.total == 0:
            return float(wrong > 0)
        return wrong / self.total


class _Stretch(Struct, frozen=True):
    """A scored stretch in which nobody starts or stops."""

    duration: float
    reference: frozenset[str]
    hypothesis: frozenset[str]


def der(
    reference: Sequence[Turn],
    hypothesis: Sequence[Turn],
    *,
    duration: float | None = None,
    uem: Sequence[Interval] | None = None,
    collar_s: float = 0.25,
    skip_overlap: bool = True,
) -> Der:
    """Score a diarization of one recording.

    duration: score [0, duration] of each channel. uem: score these intervals. Neither: from the
    first start to the last end of all turns. collar_s: left out on EITHER side of each reference
    boundary (pyannote's `collar` is both sides together: twice this). Channels are scored
    apart and summed; speakers are mapped once for all channels.
    Raises ValueError where both regions are given or the collar is negative.
    """
    if duration is not None and uem is not None:
        raise ValueError("give either the duration or a UEM, not both")
    if not 0 <= collar_s < math.inf:
        raise ValueError(f"a collar is a number of seconds from 0 on, not {collar_s}")
    region = uem if uem is not None else _whole(reference, hypothesis, duration)
    stretches = list(_scored(reference, hypothesis, region, collar_s, skip_overlap))
    return _sum(stretches, _map_speakers(stretches))


def _whole(reference: Sequence[Turn], hypothesis: Sequence[Turn], duration: float | None) -> list[Interval]:
    turns = [*reference, *hypothesis]
    if not turns:
        return []
    start = min(turn.start for turn in turns) if duration is None else 0.0
    end = max(turn.end for turn in turns) if duration is None else duration
    return [Interval(start, end - start, channel) for channel in sorted({turn.channel for turn in turns})]


def _scored(
    reference: Sequence[Turn],
    hypothesis: Sequence[Turn],
    region: Sequence[Interval],
    collar_s: float,
    skip_overlap: bool,
) -> Iterator[_Stretch]:
    """Sweep each channel's boundaries in time and yield the stretches that count."""
    channels: dict[int, list[_Event]] = defaultdict(list)
    for part in region:
        channels[part.channel] += _on_off(part.start, part.end, _UEM)
    for turn in reference:
        events = channels[turn.channel]
        events += _on_off(turn.start, turn.end, _REFERENCE, turn.speaker)
        for boundary in (turn.start, turn.end):
            events += _on_off(boundary - collar_s, boundary + collar_s, _COLLAR)
    for turn in hypothesis:
        channels[turn.channel] += _on_off(turn.start, turn.end, _HYPOTHESIS, turn.speaker)
    for channel in sorted(channels):
        for stretch in _sweep(channels[channel]):
            if not (skip_overlap and len(stretch.reference) > 1):
                yield stretch


def _on_off(start: float, end: float, kind: int, speaker: str = "") -> list[_Event]:
    return [(start, 1, kind, speaker), (end, -1, kind, speaker)] if end > start else []


def _sweep(events: Iterable[_Event]) -> Iterator[_Stretch]:
    """Yield the stretches between successive events that lie in the UEM and in no collar."""
    active: tuple[Counter[str], ...] = (Counter(), Counter(), Counter(), Counter())
    before = 0.0
    for time, step, kind, speaker in sorted(events):
        if time > before and active[_UEM] and not active[_COLLAR]:
            yield _Stretch(time - before, frozenset(active[_REFERENCE]), frozenset(active[_HYPOTHESIS]))
        before = time
        active[kind][speaker] += step
        if active[kind][speaker] == 0:
            del active[kind][speaker]


def _map_speakers(stretches: Sequence[_Stretch]) -> dict[str, str]:
    """Map hypothesis speakers to reference speakers so that their common time is largest."""
    ours = sorted({speaker for stretch in stretches for speaker in stretch.hypothesis})
    theirs = sorted({speaker for stretch in stretches for speaker in stretch.reference})
    row = {speaker: index for index, speaker in enumerate(ours)}
    column = {speaker: index for index, speaker in enumerate(theirs)}
    common = np.zeros((len(ours), len(theirs)))
    for stretch in stretches:
        for mine in stretch.hypothesis:
            for other in stretch.reference:
                common[row[mine], column[other]] += stretch.duration
    return {ours[mine]: theirs[other] for mine, other in assign(common) if common[mine, other] > 0}


def _sum(stretches: Sequence[_Stretch], mapping: dict[str, str]) -> Der:
    terms: tuple[list[float], ...] = ([], [], [], [])
    for stretch in stretches:
        spoken, found = len(stretch.reference), len(stretch.hypothesis)
        right = sum(mapping.get(speaker) in stretch.reference for speaker in stretch.hypothesis)
        counts = (max(0, spoken - found), max(0, found - spoken), min(spoken, found) - right, spoken)
        for term, count in zip(terms, counts, strict=True):
            term.append(count * stretch.duration)
    miss, false_alarm, confusion, total = (math.fsum(term) for term in terms)
    return Der(miss, false_alarm, confusion, total, mapping)
