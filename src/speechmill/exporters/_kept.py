# SPDX-License-Identifier: Apache-2.0
"""What every exporter walks over: the kept segments, one recording after another.

Streaming: one segment is in memory at a time, besides the table of recordings.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pyarrow.parquet as pq

from speechmill.core.errors import WorkspaceError
from speechmill.core.timebase import CANONICAL_HZ
from speechmill.core.types import Recording, Segment
from speechmill.store.dataset import Dataset

SAMPLING_RATE = CANONICAL_HZ  # of every clip exported, Hz: what is at rest, so nothing is resampled


def by_recording(dataset: Dataset) -> Iterator[tuple[Recording, Iterator[Segment]]]:
    """Yield each recording that has kept segments, with those; use them before asking for the next.

    Raises WorkspaceError where a segment's recording is unknown, or where segments aren't ordered by recording.
    """
    recordings = dataset.recordings()
    seen: set[str] = set()
    for recording_id, segments in itertools.groupby(dataset.segments(), key=lambda segment: segment.recording_id):
        if recording_id not in recordings:
            raise WorkspaceError(f"{dataset.root}: segments of {recording_id!r}, which recordings.parquet doesn't have")
        if recording_id in seen:
            raise WorkspaceError(f"{dataset.root}: the segments of {recording_id!r} don't stand together")
        seen.add(recording_id)
        yield recordings[recording_id], segments


def score_names(dataset: Dataset) -> list[str]:
    """List the scores that the dataset has a column for, in its order; segments may lack any of them."""
    schema = pq.read_schema(dataset.root / "dataset" / "segments.parquet")
    # Parquet knows no struct without fields: where no score was computed there is no such column.
    return [field.name for field in schema.field("scores").type] if "scores" in schema.names else []


def language_of(recording: Recording, segment: Segment) -> str | None:
    """Return the segment's language, or its recording's."""
    return segment.language or recording.language


def channel_of(recording: Recording, segment: Segment) -> int:
    """Return the channel to read: a mix has one file, whatever channel its segments name."""
    return min(segment.channel, len(recording.audio) - 1)
