# SPDX-License-Identifier: Apache-2.0
"""The finished dataset, read: recordings, segments, and the audio of a segment.

`dataset/recordings.parquet` and `dataset/segments.parquet` are what a run ends with. Every segment is
there, kept or dropped; `drops` is empty for those that were kept.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from msgspec import structs

from speechmill.core.errors import AudioError, FormatError, LostAudio, WorkspaceError
from speechmill.core.paths import check_inside, file_name, inside
from speechmill.core.stage import Samples
from speechmill.core.types import Recording, Segment
from speechmill.formats.manifest import reading
from speechmill.store.columnar import lengths_of, mask_of, numbers_of, structs_of
from speechmill.store.pseudonyms import pseudonyms
from speechmill.store.takedowns import taken_down

Named = TypeVar("Named", Recording, Segment)

MAX_S = 1e8  # three years; what is longer, less than nothing or no number was not measured
ROWS_AT_ONCE = 2048  # about 15 MB of Python objects with words and phones; larger ones are no faster


class Dataset:
    """Reads a workspace's dataset. `root` is the workspace folder.

    speakers: "names", or "pseudonyms" for those of the workspace, wherever a recording or segment has a speaker.
    """

    def __init__(self, root: Path, speakers: str = "names") -> None:
        self.root = root
        self._pseudonyms = pseudonyms(root) if speakers == "pseudonyms" else None
        self._segments = root / "dataset" / "segments.parquet"
        self._recordings = root / "dataset" / "recordings.parquet"
        self._root, self._where = str(root), str(self._recordings)
        if not self._segments.exists():
            raise WorkspaceError(f"{root} holds no dataset yet. Make one with: speechmill run CORPUS --out {root}")

    def recordings(self, ids: Collection[str] | None = None) -> dict[str, Recording]:
        """Every recording that was decoded and not taken down, by id; or those of some ids, the others unread.

        Raises WorkspaceError where a table that somebody else wrote names files outside the workspace.
        """
        withdrawn = taken_down(self.root)
        with reading(self._recordings), pq.ParquetFile(self._recordings) as file:
            batches = (batch if ids is None else _those(batch, ids) for batch in _batches(file))
            rows = (row for batch in batches for row in structs_of(batch, Recording))
            return {row.id: self.named(self._safe(row)) for row in rows if row.audio and row.id not in withdrawn}

    def named(self, one: Named) -> Named:
        """Return a recording or segment with its speaker as this dataset names speakers."""
        if self._pseudonyms is None or one.speaker is None:
            return one
        return structs.replace(one, speaker=self._pseudonyms.of(one.speaker))

    def _safe(self, recording: Recording) -> Recording:
        """Return a recording whose id can name files, and whose audio lies in the workspace."""
        file_name(recording.id, self._where)
        if not 0 <= recording.duration <= MAX_S:
            raise WorkspaceError(f"{self._where}: {recording.id} lasts {recording.duration} s; no recording does")
        for path in recording.audio:
            check_inside(self._root, path, self._where)
        return recording

    def segments(self, *, kept: bool = True) -> Iterator[Segment]:
        """Yield segments ordered by recording, channel and start; `kept=False` yields the dropped ones too.

        What was taken down is left out either way, whenever that was.
        """
        return self.rows([(0, sys.maxsize)], kept=kept)

    def rows(self, ranges: Iterable[tuple[int, int]], *, kept: bool = True) -> Iterator[Segment]:
        """Yield the segments of some rows of segments.parquet; what else is in their row groups is passed over.

        ranges: (first row, row after the last), in rising order and apart from each other.
        """
        withdrawn = taken_down(self.root)
        with reading(self._segments):
            file = pq.ParquetFile(self._segments)
        with file:
            batches = _in_ranges(file, ranges)
            while True:
                with reading(self._segments):  # not around a `yield`: what the caller does isn't this file's fault
                    batch = next(batches, None)
                    if batch is None:
                        return
                    some = _kept(batch) if kept else batch
                    segments = structs_of(some, Segment)
                    _check_times(some, segments)
                yield from (self.named(one) for one in segments if one.recording_id not in withdrawn)
                del batch, some, segments  # before the next ones are made

    def cut(self, recording: Recording, segment: Segment, *, sampling_rate: int = 24_000) -> Samples:
        """Return the samples of one segment: (num_samples,) float32 in [-1, 1], cut sample-exactly.

        Raises LostAudio where the canonical audio is gone or broken, WorkspaceError where it lies elsewhere.
        """
        from speechmill.formats.audio import read_canonical

        named = recording.audio[min(max(segment.channel, 0), len(recording.audio) - 1)]
        path = inside(self.root, named, self._where)
        try:
            return read_canonical(path, segment.start, segment.duration, sampling_rate=sampling_rate)
        except AudioError as error:
            raise LostAudio(path, error.reason) from error


def _batches(file: pq.ParquetFile, groups: Sequence[int] | None = None) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a file, or of some of its row groups, by one thread."""
    yield from file.iter_batches(ROWS_AT_ONCE, groups, use_threads=False)


def _those(batch: pa.RecordBatch, ids: Collection[str]) -> pa.RecordBatch:
    """Return the rows of some recordings."""
    return batch.filter(pc.is_in(batch.column("id"), value_set=pa.array(sorted(ids), pa.string())))


def _in_ranges(file: pq.ParquetFile, ranges: Iterable[tuple[int, int]]) -> Iterator[pa.RecordBatch]:
    """Yield the rows of rising ranges. Row groups in which there are none aren't read."""
    left = iter(ranges)
    first, stop = next(left, (sys.maxsize, sys.maxsize))
    end = 0  # row after the last of the group
    for group in range(file.num_row_groups):
        row, end = end, end + file.metadata.row_group(group).num_rows
        if first >= end:
            continue
        for batch in _batches(file, [group]):
            last = row + batch.num_rows
            while first < last:
                yield batch.slice(max(first - row, 0), min(stop, last) - max(first, row))
                if stop > last:
                    break
                first, stop = next(left, (sys.maxsize, sys.maxsize))
            row = last
            if first >= end:
                break


def _check_times(batch: pa.RecordBatch, segments: Sequence[Segment]) -> None:
    """Raise FormatError where a segment lies nowhere: NaN, infinity, before 0; or on no channel."""
    for name in ("start", "duration", "channel"):
        values = numbers_of(batch.column(name))
        bad = np.flatnonzero(~((values >= 0) & (values <= MAX_S)))  # true of NaN as well
        if len(bad):
            raise FormatError(f"segment {segments[bad[0]].id!r:.80} has the {name} {values[bad[0]].item()!r}")


def _kept(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Leave out what was dropped before anything is made of it."""
    drops = batch.column("drops")
    if not pa.types.is_list(drops.type):
        return batch  # what it is instead is told where rows are made of it
    dropped = lengths_of(drops) > 0
    return batch.filter(mask_of(~dropped)) if dropped.any() else batch
