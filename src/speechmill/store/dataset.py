# SPDX-License-Identifier: Apache-2.0
"""The finished dataset, read: recordings, segments, and the audio of a segment.

`dataset/recordings.parquet` and `dataset/segments.parquet` are what a run ends with. Every segment is
there, kept or dropped; `drops` is empty for those that were kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pyarrow.parquet as pq

from speechmill.core.errors import AudioError, LostAudio, WorkspaceError
from speechmill.core.stage import Samples
from speechmill.core.types import Recording, Segment
from speechmill.store.takedowns import taken_down

ROWS_AT_ONCE = 8192  # about 10 MB of Python objects with words and phones


class Dataset:
    """Reads a workspace's dataset. `root` is the workspace folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._segments = root / "dataset" / "segments.parquet"
        self._recordings = root / "dataset" / "recordings.parquet"
        if not self._segments.exists():
            raise WorkspaceError(f"{root} holds no dataset yet. Make one with: speechmill run CORPUS --out {root}")

    def recordings(self) -> dict[str, Recording]:
        """Every recording that was decoded and not taken down, by id."""
        withdrawn = taken_down(self.root)
        found = {}
        for batch in pq.ParquetFile(self._recordings).iter_batches(ROWS_AT_ONCE):
            for row in batch.to_pylist():
                if row["audio"] and row["id"] not in withdrawn:
                    found[row["id"]] = msgspec.convert(row, Recording)
        return found

    def segments(self, *, kept: bool = True) -> Iterator[Segment]:
        """Yield segments ordered by recording, channel and start; `kept=False` yields the dropped ones too.

        What was taken down is left out either way, whenever that was.
        """
        withdrawn = taken_down(self.root)
        for batch in pq.ParquetFile(self._segments).iter_batches(ROWS_AT_ONCE):
            for row in batch.to_pylist(maps_as_pydicts="strict"):
                segment = msgspec.convert(row, Segment)
                if segment.recording_id not in withdrawn and not (kept and segment.drops):
                    yield segment

    def cut(self, recording: Recording, segment: Segment, *, sampling_rate: int = 24_000) -> Samples:
        """Return the samples of one segment: (num_samples,) float32 in [-1, 1], cut sample-exactly.

        Raises LostAudio where the canonical audio is gone or broken.
        """
        from speechmill.formats.audio import read_canonical

        path = self.root / recording.audio[min(segment.channel, len(recording.audio) - 1)]
        try:
            return read_canonical(path, segment.start, segment.duration, sampling_rate=sampling_rate)
        except AudioError as error:
            raise LostAudio(path, error.reason) from error
