# SPDX-License-Identifier: Apache-2.0
"""How much of a dataset there is, by recording, split, language and reason; from columns alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from speechmill.formats.manifest import read_parquet
from speechmill.pipeline.arrow_numpy import integers
from speechmill.pipeline.expressions import Coded
from speechmill.pipeline.filter import funnel
from speechmill.pipeline.segment_columns import SegmentColumns
from speechmill.pipeline.versions.manifest import Counts, Tally

_HOUR = 3600.0


class Amounts:
    """Adds up the segments of a table as decided."""

    def __init__(self, segments: Path, decisions: Path) -> None:
        columns = SegmentColumns(segments)
        decided = read_parquet(decisions, ["drops", "split"])
        self._seconds = columns.numbers("duration")
        self._recordings = columns.coded("recording_id")
        self._languages = columns.coded("language")
        self._splits = coded(decided["split"])
        self._funnel = funnel(self._seconds, decided["drops"])
        lengths = [np.diff(integers(chunk.offsets)) for chunk in decided["drops"].chunks]
        self._kept = np.concatenate([np.zeros(0, np.int64), *lengths]) == 0

    def of_recordings(self, ids: Sequence[str]) -> tuple[list[int], list[float]]:
        """Return how many segments are kept of each recording, and how many seconds."""
        codes = self._recordings.codes[self._kept]
        size = len(self._recordings.values)
        counts = np.bincount(codes, minlength=size)
        seconds = np.bincount(codes, self._seconds[self._kept], minlength=size)
        place = {name: code for code, name in enumerate(self._recordings.values)}
        found = [place.get(name) for name in ids]
        return (
            [int(counts[code]) if code is not None else 0 for code in found],
            [round(float(seconds[code]), 3) if code is not None else 0.0 for code in found],
        )

    def counts(self, recordings: int) -> Counts:
        """Add everything up. recordings: how many there are, those without a segment too."""
        found = self._funnel
        return Counts(
            recordings=recordings,
            recordings_kept=len(np.unique(self._recordings.codes[self._kept])),
            segments=found.segments,
            hours=found.segments_hours,
            kept=found.kept,
            kept_hours=found.kept_hours,
            splits=self._tallies(self._splits),
            languages=self._tallies(self._languages),
            losses=found.losses,
        )

    def _tallies(self, by: Coded) -> dict[str, Tally]:
        found = {}
        for code, name in enumerate((*by.values, "")):
            mine = self._kept & (by.codes == (code if code < len(by.values) else -1))
            if mine.any():
                found[name] = Tally(int(mine.sum()), float(self._seconds[mine].sum() / _HOUR))
        return dict(sorted(found.items()))


def coded(column: pa.ChunkedArray) -> Coded:
    """Return a column of strings as codes; -1 where there is none."""
    chunks = column.dictionary_encode().unify_dictionaries().chunks
    values = tuple(chunks[0].dictionary.to_pylist()) if chunks else ()
    codes = [integers(chunk.indices, missing=-1) for chunk in chunks]
    return Coded(np.concatenate([np.zeros(0, np.int64), *codes]), values)
