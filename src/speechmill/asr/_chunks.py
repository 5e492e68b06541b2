# SPDX-License-Identifier: Apache-2.0
"""Speech intervals grouped into the stretches that a recogniser hears at a time.

Cuts lie in silence. Only an interval longer than a chunk may be has none: it is cut where it is
quietest in the second half of the chunk. Not a segmentation: that has a stage of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated

import numpy as np
from msgspec import Meta

from speechmill.core.stage import Audio, Samples
from speechmill.core.timebase import WORKING_HZ
from speechmill.core.types import Interval

# Bounds of options: a chunk must hold some words between its pads, or there would be no place to cut.
ChunkSeconds = Annotated[float, Meta(ge=5)]
GapSeconds = Annotated[float, Meta(ge=0)]
PadSeconds = Annotated[float, Meta(ge=0, le=2)]

SHORTEST_S = 0.1  # less holds no word
_HOP = WORKING_HZ // 50  # 20 ms frames of energy
_SMOOTH = 5  # 100 ms: a stop consonant's closure is shorter


def chunks(
    audio: Audio, speech: Iterable[Interval], *, max_s: float, join_gap_s: float, pad_s: float
) -> list[Interval]:
    """Group speech into padded chunks, ordered by start then channel.

    max_s: longest chunk, padding included, s. join_gap_s: longer silences end a chunk, s.
    pad_s: audio kept before and after a chunk, at most half of the silence there, s.
    """
    by_channel: dict[int, list[Interval]] = {}
    for interval in sorted(speech, key=lambda interval: interval.start):
        by_channel.setdefault(interval.channel, []).append(interval)
    longest = max_s - 2 * pad_s
    found: list[Interval] = []
    for intervals in by_channel.values():
        pieces = [
            piece for interval in _merged(intervals, audio.duration) for piece in _split(audio, interval, longest)
        ]
        found += _padded(list(_grouped(pieces, longest, join_gap_s)), pad_s, audio.duration)
    return sorted(found, key=lambda chunk: (chunk.start, chunk.channel))


def heard(
    audio: Audio, speech: Iterable[Interval], *, max_s: float, join_gap_s: float, pad_s: float, min_peak_dbfs: float
) -> Iterator[tuple[Interval, Samples]]:
    """Yield each chunk that a recogniser may hear with its 16 kHz samples, read one at a time.

    Left out is what stays below the level, and what is too short to hold a word.
    """
    for chunk in chunks(audio, speech, max_s=max_s, join_gap_s=join_gap_s, pad_s=pad_s):
        samples = audio.read(chunk.start, chunk.duration, channel=chunk.channel, sampling_rate=WORKING_HZ)
        if len(samples) >= SHORTEST_S * WORKING_HZ and not silent(samples, min_peak_dbfs):
            yield chunk, samples


def silent(samples: Samples, peak_dbfs: float) -> bool:
    """Tell whether no sample reaches a level: digital silence makes recognisers invent words."""
    return not len(samples) or float(np.max(np.abs(samples))) < 10 ** (peak_dbfs / 20)


def _between(start: float, end: float, channel: int) -> Interval:
    return Interval(start, end - start, channel)


def _merged(intervals: Sequence[Interval], duration: float) -> Iterator[Interval]:
    """Clip to the recording and join what touches or overlaps."""
    start = end = -math.inf
    for interval in intervals:
        if interval.start > end:
            if end > start:
                yield _between(start, end, interval.channel)
            start, end = max(0.0, interval.start), 0.0
        end = min(duration, max(end, interval.end))
    if end > start:
        yield _between(start, end, intervals[-1].channel)


def _split(audio: Audio, interval: Interval, longest: float) -> Iterator[Interval]:
    start = interval.start
    while interval.end - start > longest:
        cut = _quietest(audio, start + longest / 2, longest / 2, interval.channel)
        yield _between(start, cut, interval.channel)
        start = cut
    yield _between(start, interval.end, interval.channel)


def _quietest(audio: Audio, start: float, duration: float, channel: int) -> float:
    samples = audio.read(start, duration, channel=channel, sampling_rate=WORKING_HZ)
    frames = samples[: len(samples) // _HOP * _HOP].reshape(-1, _HOP)
    energy = np.convolve(np.mean(frames.astype(np.float64) ** 2, axis=1), np.ones(_SMOOTH), mode="valid")
    return start + (int(np.argmin(energy)) + _SMOOTH / 2) * _HOP / WORKING_HZ


def _grouped(pieces: Sequence[Interval], longest: float, join_gap_s: float) -> Iterator[Interval]:
    group: Interval | None = None
    for piece in pieces:
        if group is None:
            group = piece
        elif piece.start - group.end <= join_gap_s and piece.end - group.start <= longest:
            group = _between(group.start, piece.end, group.channel)
        else:
            yield group
            group = piece
    if group is not None:
        yield group


def _padded(groups: Sequence[Interval], pad_s: float, duration: float) -> Iterator[Interval]:
    for i, group in enumerate(groups):
        before = (group.start - groups[i - 1].end) / 2 if i else group.start
        after = (groups[i + 1].start - group.end) / 2 if i + 1 < len(groups) else duration - group.end
        yield _between(group.start - min(pad_s, before), group.end + min(pad_s, after), group.channel)
