# SPDX-License-Identifier: Apache-2.0
"""What of each recording the dataset keeps, in pieces of an hour: `dataset/contents.parquet`.

A piece is what an export's shard holds or doesn't hold. Its digest changes with anything that its kept segments, or its
recording, say. So what an export has to write anew is known without reading a segment.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from msgspec import Struct
from numpy.typing import NDArray

from speechmill.core.errors import WorkspaceError
from speechmill.core.types import Recording
from speechmill.formats.manifest import arrow_schema, write_parquet
from speechmill.store.columnar import structs_of
from speechmill.store.row_digests import numbers_of, row_digests

FILE = "contents.parquet"
HOUR_S = 3600.0
DECIDED = ("drops", "duplicate_of", "split")  # of a kept segment they say nothing that the piece doesn't
ROWS_AT_ONCE = 2048


class Piece(Struct, frozen=True):
    """The kept segments of one recording that begin in one hour of it."""

    recording_id: str
    hour: int
    split: str  # train where the dataset has no splits
    first: int  # row in segments.parquet
    last: int  # its last row; others may lie between, dropped ones and those of another hour's channel
    kept: int  # segments
    seconds: float
    digest: str


class Contents:
    """Collects the pieces of a dataset, table by table. Rows of a recording stand together."""

    def __init__(self, recordings: Path) -> None:
        self._recordings = _digests_of_recordings(recordings)
        self._rest: pa.Table | None = None  # rows of a recording that may go on in the next table
        self._row = 0  # of the first in `_rest`
        self._pieces: list[pa.Table] = []

    def add(self, table: pa.Table) -> None:
        """Take the next rows of segments.parquet."""
        rows = table if self._rest is None else pa.concat_tables([self._rest, table])
        if not rows.num_rows:
            return
        ids = rows["recording_id"]
        whole = pc.index(pc.equal(ids, ids[-1]), True).as_py()  # the last recording's rows are the last
        self._flush(rows.slice(0, whole))
        self._rest = rows.slice(whole)
        self._row += whole

    def write(self, folder: Path) -> None:
        """Write what was collected as contents.parquet."""
        if self._rest is not None:
            self._flush(self._rest)
            self._rest = None
        schema = arrow_schema(Piece)
        write_parquet(folder / FILE, pa.concat_tables([schema.empty_table(), *self._pieces]))

    def _flush(self, rows: pa.Table) -> None:
        if rows.num_rows:
            self._pieces.append(_pieces(rows.combine_chunks(), self._row, self._recordings))


def write_contents(dataset: Path) -> None:
    """Write the contents of a dataset whose tables are there."""
    contents = Contents(dataset / "recordings.parquet")
    with pq.ParquetFile(dataset / "segments.parquet") as file:
        for batch in file.iter_batches(ROWS_AT_ONCE, use_threads=False):
            contents.add(pa.Table.from_batches([batch]))
    contents.write(dataset)


def read_contents(dataset: Path) -> list[Piece]:
    """Return the pieces in the order of the dataset. A dataset of an older version gets its contents first."""
    path = dataset / FILE
    if not path.exists():
        write_contents(dataset)
    with pq.ParquetFile(path) as file:
        batches = file.iter_batches(ROWS_AT_ONCE, use_threads=False)
        return [piece for batch in batches for piece in structs_of(batch, Piece)]


def _digests_of_recordings(path: Path) -> dict[str, str]:
    """Return a digest of what each recording says, of those that have audio."""
    found: dict[str, str] = {}
    with pq.ParquetFile(path) as file:
        columns = [name for name in Recording.__struct_fields__ if name in file.schema_arrow.names]
        for batch in file.iter_batches(ROWS_AT_ONCE, columns=columns, use_threads=False):
            there = batch.filter(pc.greater(pc.list_value_length(batch.column("audio")), 0))
            digests = row_digests(there, np.arange(there.num_rows + 1))
            found.update(zip(there.column("id").to_pylist(), digests, strict=True))
    return found


class _Order(NamedTuple):
    """Rows in the order of pieces, and where each piece begins among them."""

    rows: NDArray[np.int64]
    begins: NDArray[np.int64]  # (num_pieces + 1,)
    hours: NDArray[np.int64]  # (num_rows,)


def _pieces(rows: pa.Table, first_row: int, recordings: dict[str, str]) -> pa.Table:
    """Return the pieces of whole recordings."""
    kept = np.flatnonzero(_numbers(pc.fill_null(pc.list_value_length(rows["drops"]), 0)) == 0)
    order = _order(rows, kept)
    begins = order.begins
    if len(begins) < 2:
        return arrow_schema(Piece).empty_table()
    taken = rows.take(pa.array(order.rows)).combine_chunks()
    ids = taken["recording_id"].take(pa.array(begins[:-1])).to_pylist()
    batch = taken.drop_columns([name for name in DECIDED if name in taken.column_names]).to_batches()[0]
    digests = [_together(recordings, *found) for found in zip(ids, row_digests(batch, begins), strict=True)]
    columns = [
        pa.array(ids, pa.string()),
        pa.array(order.hours[order.rows[begins[:-1]]]),
        pa.array(_splits(taken, begins), pa.string()),
        pa.array(first_row + np.minimum.reduceat(order.rows, begins[:-1])),
        pa.array(first_row + np.maximum.reduceat(order.rows, begins[:-1])),
        pa.array(np.diff(begins)),
        pa.array(np.add.reduceat(_numbers(taken["duration"]), begins[:-1])),
        pa.array(digests, pa.string()),
    ]
    return pa.table(columns, schema=arrow_schema(Piece))


def _order(rows: pa.Table, kept: NDArray[np.int64]) -> _Order:
    ids = rows["recording_id"].combine_chunks().dictionary_encode()
    recording = _numbers((ids.chunk(0) if isinstance(ids, pa.ChunkedArray) else ids).indices)
    hours = (_numbers(rows["start"]) // HOUR_S).astype(np.int64)
    ordered = kept[np.lexsort((kept, hours[kept], recording[kept]))]
    key = np.stack([recording[ordered], hours[ordered]])
    new = np.flatnonzero((np.diff(key) != 0).any(axis=0)) + 1
    begins = np.concatenate([[0], new, [len(ordered)]]) if len(ordered) else np.zeros(1, np.int64)
    return _Order(ordered, begins.astype(np.int64), hours)


def _splits(taken: pa.Table, begins: NDArray[np.int64]) -> list[str]:
    if "split" not in taken.column_names:
        return ["train"] * (len(begins) - 1)
    return [split or "train" for split in taken["split"].take(pa.array(begins[:-1])).to_pylist()]


def _together(recordings: dict[str, str], recording_id: str, segments: str) -> str:
    if recording_id not in recordings:
        raise WorkspaceError(f"segments of {recording_id!r} are kept, which recordings.parquet has no audio of")
    return f"{recordings[recording_id][:16]}{segments[:16]}"


def _numbers(column: Any) -> NDArray[Any]:
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return numbers_of(array.chunk(0) if isinstance(array, pa.ChunkedArray) else array)
