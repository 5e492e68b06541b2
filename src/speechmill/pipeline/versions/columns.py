# SPDX-License-Identifier: Apache-2.0
"""The segments of a version as columns that can be compared with another version's; 8 bytes a segment for each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from speechmill.formats.manifest import read_parquet
from speechmill.pipeline.arrow_numpy import floats, integers, offsets_of
from speechmill.pipeline.expressions import Coded, Truths
from speechmill.pipeline.filter import drop_codes
from speechmill.pipeline.segment_columns import SegmentColumns
from speechmill.pipeline.versions.amounts import coded
from speechmill.pipeline.versions.shelf import Version

Hashes = NDArray[np.uint64]
Rows = NDArray[np.int64]

_ODD = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93)


class Decided:
    """What was decided on the segments of a version."""

    def __init__(self, version: Version) -> None:
        table = read_parquet(version.decisions, ["drops", "split"])
        counts, self._codes, self.rules = drop_codes(table["drops"])
        self._rows = np.repeat(np.arange(len(counts)), counts)
        self.kept: Truths = counts == 0
        self.split = coded(table["split"])

    def dropped_by(self, rule: str) -> Rows:
        """Return the rows that a rule drops."""
        found: Rows = self._rows[self._codes == self.rules.index(rule)]
        return found


class Contents:
    """What the segments of a version say, apart from decisions."""

    def __init__(self, version: Version) -> None:
        self.columns = SegmentColumns(version.segments)
        self.seconds = self.columns.numbers("duration")
        self.recordings = self.columns.coded("recording_id")

    @property
    def num_rows(self) -> int:
        """How many segments there are."""
        return self.columns.num_rows

    def ids(self) -> pa.ChunkedArray:
        """Return their ids."""
        return self.columns.ids()

    def texts(self) -> Hashes:
        """Return a hash of each text."""
        return _concatenated([_hashed(chunk.to_pylist()) for chunk in self._chunks("text")])

    def timed(self, column: str) -> Hashes:
        """Return a hash of the words or phones of each segment, with their times."""
        return _concatenated([_hashed_symbols(chunk) for chunk in self._chunks(column)])

    def _chunks(self, column: str) -> Iterator[pa.Array]:
        # One row group after another: words of a million segments are gigabytes.
        for group in range(self.columns.file.metadata.num_row_groups):
            yield self.columns.file.read_row_group(group, columns=[column])[column].combine_chunks()


def matched(before: Contents, after: Contents) -> Rows:
    """Return for each segment of `after` the row of the same one in `before`, -1 where it is not there."""
    import pyarrow.compute as pc

    found = pc.index_in(after.ids(), value_set=before.ids())
    return np.concatenate([np.zeros(0, np.int64), *(integers(chunk, missing=-1) for chunk in found.chunks)])


def same_names(before: Coded, after: Coded, rows: Rows, of: Rows) -> Truths:
    """Tell whether rows `of` after have the same string as `rows` before."""
    place = {name: code for code, name in enumerate(before.values)}
    known = np.array([*(place.get(name, -2) for name in after.values), -1], dtype=np.int64)
    same: Truths = before.codes[rows] == known[after.codes[of]]
    return same


def _hashed(values: Sequence[str | None]) -> Hashes:
    raw = b"".join(
        b"\0" * 8 if value is None else hashlib.blake2b(value.encode(), digest_size=8).digest() for value in values
    )
    return np.frombuffer(raw, dtype=np.uint64)


def _hashed_symbols(lists: pa.ListArray) -> Hashes:
    """Return (num_rows,) hashes of lists of words: of symbol, start and duration in their order."""
    offsets = offsets_of(lists)
    inner = lists.values.slice(offsets[0], offsets[-1] - offsets[0])
    offsets = offsets - offsets[0]
    symbols = inner.field("symbol").dictionary_encode()
    words = np.append(_hashed(symbols.dictionary.to_pylist()), np.uint64(0))
    position = np.arange(len(inner), dtype=np.uint64) - np.repeat(offsets[:-1], np.diff(offsets)).astype(np.uint64)
    mixed = words[integers(symbols.indices, missing=-1)] * np.uint64(_ODD[0])
    for name, odd in zip(("start", "duration"), _ODD[1:3], strict=True):
        mixed ^= _milliseconds(inner.field(name)) * np.uint64(odd)
    mixed = (mixed ^ (mixed >> np.uint64(29))) * (position * np.uint64(2) + np.uint64(_ODD[3]))
    total = np.concatenate([np.zeros(1, np.uint64), np.cumsum(mixed, dtype=np.uint64)])
    found: Hashes = total[offsets[1:]] - total[offsets[:-1]] + np.diff(offsets).astype(np.uint64)
    return found


def _milliseconds(array: pa.Array) -> Hashes:
    return np.round(np.nan_to_num(floats(array)) * 1000).astype(np.int64).view(np.uint64)


def _concatenated(parts: Sequence[Hashes]) -> Hashes:
    return np.concatenate([np.zeros(0, np.uint64), *parts])
