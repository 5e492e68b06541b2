# SPDX-License-Identifier: Apache-2.0
"""Some kept and some dropped segments to look at and listen to.

They are chosen by their place in the table, so the same dataset shows the same ones: kept ones evenly over
the whole, dropped ones in turn from each rule.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from speechmill.core.errors import SpeechmillError
from speechmill.core.stage import Samples
from speechmill.core.types import Recording, Segment
from speechmill.pipeline.filter import drop_codes
from speechmill.pipeline.report.charts import waveform
from speechmill.pipeline.report.markup import Html
from speechmill.pipeline.report.recordings import Recordings
from speechmill.pipeline.segment_columns import SegmentColumns
from speechmill.store.dataset import Dataset

AUDIO_BUDGET = 8_000_000  # characters of base64 in the page: opens at once, passes as a mail attachment
SAMPLING_RATE = 16_000
_FEWEST_CHARS_PER_S = 10_000  # of base64, in the quietest speech; what is read beyond the budget is cut off again


class Clip(Struct, frozen=True):
    """Audio of a sample: a data: URI, its picture, and how much of the segment it has."""

    uri: str
    picture: Html
    seconds: float


class Sample(Struct, frozen=True):
    """A segment with its recording's URI; `clip` is None where there is no audio, `missing` says why."""

    segment: Segment
    uri: str
    clip: Clip | None = None
    missing: str = ""


def choose(segments: SegmentColumns, number: int) -> tuple[list[int], list[int]]:
    """Return rows of kept and of dropped segments, `number` together, half of each where there are enough."""
    counts, codes, rules = drop_codes(segments.drops())
    kept = np.flatnonzero(counts == 0)
    rows = np.repeat(np.arange(len(counts)), counts)
    num_dropped = len(counts) - len(kept)
    from_dropped = min(num_dropped, max(number // 2, number - len(kept)))
    dropped = _in_turn([rows[codes == code] for code in range(len(rules))], from_dropped)
    return _spread(kept, number - len(dropped)), dropped


def _spread(rows: NDArray[np.int64], number: int) -> list[int]:
    """Take some rows from the middles of equal stretches."""
    number = min(number, len(rows))
    at = ((np.arange(number) + 0.5) * len(rows) / max(1, number)).astype(int)
    return [int(row) for row in rows[at]]


def _in_turn(by_rule: list[NDArray[np.int64]], number: int) -> list[int]:
    """Take some rows from each rule's, in turn, none twice."""
    queues = [_spread(rows, number) for rows in by_rule]
    chosen: dict[int, None] = {}
    for place in range(number):
        for queue in queues:
            if place < len(queue) and len(chosen) < number:
                chosen.setdefault(queue[place])
    for rows in by_rule:  # many broke several rules: fill up
        chosen |= dict.fromkeys(int(row) for row in rows[: number - len(chosen)]) if len(chosen) < number else {}
    return sorted(chosen)


def collect(
    workspace: Path, segments: SegmentColumns, recordings: Recordings, number: int, *, audio: bool
) -> tuple[list[Sample], list[Sample]]:
    """Return kept and dropped samples, with audio where asked for and where there is any."""
    kept, dropped = choose(segments, number)
    most_chars = AUDIO_BUDGET / max(1, len(kept) + len(dropped)) if audio else 0.0
    chosen = sorted({*kept, *dropped})
    rows = dict(zip(chosen, segments.rows(chosen), strict=True))

    def made(row: int) -> Sample:
        return _sample(workspace, rows[row], recordings, most_chars)

    return [made(row) for row in kept], [made(row) for row in dropped]


def _sample(workspace: Path, row: dict[str, Any], recordings: Recordings, most_chars: float) -> Sample:
    segment = msgspec.convert(row, Segment)
    if recordings.at(segment.recording_id) < 0:
        return Sample(segment, "", missing="its recording is not in the dataset")
    recording = msgspec.convert(recordings.row(segment.recording_id), Recording)
    if most_chars <= 0:
        return Sample(segment, recording.uri)
    try:
        return Sample(segment, recording.uri, clip=_clip(workspace, recording, segment, most_chars))
    except (OSError, SpeechmillError) as error:  # a report is worth having without one clip; the card says why
        return Sample(segment, recording.uri, missing=f"no audio: {error}")


def _clip(workspace: Path, recording: Recording, segment: Segment, most_chars: float) -> Clip:
    """Return a segment's audio, or as much of its beginning as fits."""
    most_s = most_chars / _FEWEST_CHARS_PER_S
    cut = msgspec.structs.replace(segment, duration=min(segment.duration, most_s))
    samples = Dataset(workspace).cut(recording, cut, sampling_rate=SAMPLING_RATE)
    uri = _data_uri(samples)
    while len(uri) > most_chars and len(samples) > SAMPLING_RATE // 2:
        samples = samples[: int(0.95 * len(samples) * most_chars / len(uri))]
        uri = _data_uri(samples)
    return Clip(uri, waveform(samples), len(samples) / SAMPLING_RATE)


def _data_uri(samples: Samples) -> str:
    from speechmill.formats.flac import encode_flac  # PyAV, which a report without audio never needs

    return f"data:audio/flac;base64,{base64.b64encode(encode_flac(samples, SAMPLING_RATE)).decode()}"
