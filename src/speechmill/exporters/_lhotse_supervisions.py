# SPDX-License-Identifier: Apache-2.0
"""Segments as lhotse's supervisions, many at once.

A data set of a million segments has some ten million words: their starts are moved and rounded as one array.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from speechmill.core.timebase import tick, ticks
from speechmill.core.types import Word
from speechmill.exporters import Row
from speechmill.exporters._attribution import rights_of
from speechmill.exporters._kept import channel_of, language_of

Supervision = dict[str, Any]
_Items = Sequence[tuple[Any, ...]]  # symbol, start, duration, score: as lhotse stores its alignment items
_AT_ONCE = 1024  # segments that are described in memory
_PER_SECOND = 1e4  # ticks
_DOUBTFUL = 1e-3  # of a tick; the product with that is off by less than a tenth of it
_LONG_S = 1e8  # from here on it is off by more


class _Placed(NamedTuple):
    """The symbols of a segment, their times counted from two places."""

    own: _Items  # from the segment's start
    whole: _Items  # from the recording's


def in_groups(row: Row) -> Iterator[Row]:
    """Yield the segments of a recording, some at a time: a recording may be days long."""
    for begin in range(0, len(row.segments), _AT_ONCE):
        yield Row(row.recording, row.segments[begin : begin + _AT_ONCE])


def supervisions(row: Row, durations: Sequence[float]) -> list[tuple[Supervision, Supervision]]:
    """Describe segments of so many seconds twice: in a cut of their own, and in their recording."""
    recording, segments = row
    rights = rights_of(recording)
    starts = [segment.start for segment in segments]
    words = _placed([segment.words for segment in segments], starts)
    phones = _placed([segment.phones for segment in segments], starts)
    found = []
    for segment, duration, spoken, sounds in zip(segments, durations, words, phones, strict=True):
        own = {
            "id": segment.id,
            "recording_id": recording.id,
            "start": 0.0,
            "duration": duration,
            "channel": channel_of(recording, segment),
            "text": segment.text,
            "language": language_of(recording, segment),
            "speaker": segment.speaker,
            "alignment": _alignment(spoken.own, sounds.own),
            "custom": {
                **segment.scores,
                "licence": rights.licence,
                "attribution": rights.attribution,
                "recording_start": segment.start,
            },
        }
        whole = {**own, "start": segment.start, "alignment": _alignment(spoken.whole, sounds.whole)}
        found.append((own, whole))
    return found


def _alignment(words: _Items, phones: _Items) -> dict[str, _Items]:
    return {name: items for name, items in (("word", words), ("phone", phones)) if items}


def _placed(symbols: Sequence[Sequence[Word]], origins: Sequence[float]) -> list[_Placed]:
    """Return the symbols of each segment; origins: where it starts."""
    counts = list(map(len, symbols))
    words = list(itertools.chain.from_iterable(symbols))
    starts = np.array([word.start for word in words], np.float64)
    own = ticked(starts - np.repeat(np.array(origins, np.float64), counts)).tolist()
    rest = [word.symbol for word in words], [word.duration for word in words], [word.score for word in words]
    items = [list(zip(rest[0], at, *rest[1:], strict=True)) for at in (own, ticked(starts).tolist())]
    bounds = itertools.pairwise(itertools.accumulate(counts, initial=0))
    return [_Placed(items[0][begin:end], items[1][begin:end]) for begin, end in bounds]


def ticked(seconds: NDArray[np.float64]) -> NDArray[Any]:
    """Return what `tick` returns of each, to the last bit.

    Between two ticks decimal fractions decide, which a product with 10,000 doesn't tell: there `tick` itself does it.
    """
    with np.errstate(invalid="ignore", over="ignore"):  # what is no number, or a huge one, is left to `tick`
        found = ticks(seconds)
        scaled = seconds * _PER_SECOND
        clear = (np.abs(scaled - np.floor(scaled) - 0.5) > _DOUBTFUL) & (np.abs(seconds) < _LONG_S)
    for i in np.flatnonzero(~clear).tolist():
        found[i] = tick(float(seconds[i]))
    return found
