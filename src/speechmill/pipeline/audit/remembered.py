# SPDX-License-Identifier: Apache-2.0
"""Checks of what is remembered beside the dataset: its contents by the hour, its splits, hashes of originals."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from speechmill.core.errors import SpeechmillError
from speechmill.core.files import sha256_file
from speechmill.formats.manifest import read_parquet, read_rows
from speechmill.pipeline.audit.findings import Sheet
from speechmill.pipeline.intake import Known
from speechmill.store import assigned
from speechmill.store.contents import FILE, ROWS_AT_ONCE, Contents
from speechmill.store.row_digests import row_digests
from speechmill.store.workspace import Workspace


def compare_rows(sheet: Sheet, own: Path, other: Path) -> None:
    """Find the rows of a table of the dataset that say something else than the table that it was made of."""
    with pq.ParquetFile(own) as mine, pq.ParquetFile(other) as table:
        names = [name for name in table.schema_arrow.names if name in mine.schema_arrow.names]
        for lost in sorted(set(table.schema_arrow.names) - set(names)):
            sheet.add(f"dataset/{own.name}", f"it has no column {lost!r}, which {other.name} has")
        for left, right in _side_by_side(mine, table, names):
            for name in names:
                _compare(sheet, left, right, name, other.name)


def _compare(sheet: Sheet, left: pa.RecordBatch, right: pa.RecordBatch, name: str, of: str) -> None:
    whole = np.array([0, left.num_rows])
    mine, its = left.select([name]), right.select([name])
    if row_digests(mine, whole) == row_digests(its, whole):
        return
    each = np.arange(left.num_rows + 1)
    differ = np.flatnonzero(np.array(row_digests(mine, each)) != np.array(row_digests(its, each)))
    sheet.add_rows(differ, lambda row: (left.column("id")[row].as_py(), f"its {name} is not what {of} says"))


def _side_by_side(
    left: pq.ParquetFile, right: pq.ParquetFile, names: list[str]
) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
    """Yield the same rows of two files that have as many, however they are cut up."""
    batches = [file.iter_batches(ROWS_AT_ONCE, columns=names, use_threads=False) for file in (left, right)]
    rest: list[pa.RecordBatch | None] = [None, None]
    while True:
        rest = [
            one if one is not None and one.num_rows else next(of, None) for one, of in zip(rest, batches, strict=True)
        ]
        first, second = rest
        if first is None or second is None:
            return
        count = min(first.num_rows, second.num_rows)
        yield first.slice(0, count).select(names), second.slice(0, count).select(names)
        rest = [first.slice(count), second.slice(count)]


def check_contents(sheet: Sheet, dataset: Path) -> None:
    """contents.parquet is what exports take for what is in the dataset."""
    path, place = dataset / FILE, f"dataset/{FILE}"
    if not path.exists():
        sheet.add(place, "gone; the next export makes it anew")
        return
    try:
        found = read_parquet(path)
        with tempfile.TemporaryDirectory() as folder:
            _write_contents(dataset, Path(folder))
            fine = found.equals(read_parquet(Path(folder) / FILE))
    except SpeechmillError as error:
        sheet.add(place, str(error))
        return
    if not fine:
        sheet.add(place, "it is not what the dataset has, and exports go by it; delete it: the next one makes it anew")


def _write_contents(dataset: Path, folder: Path) -> None:
    contents = Contents(dataset / "recordings.parquet")
    with pq.ParquetFile(dataset / "segments.parquet") as file:
        for batch in file.iter_batches(ROWS_AT_ONCE, use_threads=False):
            contents.add(pa.Table.from_batches([batch]))
    contents.write(folder)


def check_assigned(sheet: Sheet, workspace: Workspace, *, asked: bool) -> bool:
    """Every recording of a split is remembered; else what was tested on may become training data.

    Returns whether the memory can be read, or there is none.
    """
    path = assigned.path_in(workspace.splits)
    if not path.exists():
        if asked:
            sheet.add(
                path.relative_to(workspace.root).as_posix(),
                "gone, and with it what was tested on: bring it back from a backup, or the next run splits anew",
            )
        return True
    try:
        known = assigned.names_of(assigned.read(workspace.splits).of("recording"))
    except SpeechmillError as error:
        sheet.add(path.relative_to(workspace.root).as_posix(), str(error))
        return False
    for id, sha256, split in _split_recordings(workspace.dataset) if asked else ():
        sheet.saw()
        if sha256 not in known:  # one that is of another split there is a leak, which is found by itself
            sheet.add(id, f"of {split} in the dataset, and {path.name} doesn't remember it")
    return True


def _split_recordings(dataset: Path) -> Iterator[tuple[str, str, str]]:
    """Yield id, content and split of recordings with kept segments."""
    with pq.ParquetFile(dataset / "recordings.parquet") as file:
        rows = file.read(columns=["id", "sha256"]).to_pylist()
    content = {row["id"]: row["sha256"] or f"id:{row['id']}" for row in rows}
    with pq.ParquetFile(dataset / "segments.parquet") as file:
        table = file.read(columns=["recording_id", "split"])
    kept = table.filter(pc.is_valid(table["split"]))
    for row in kept.group_by(["recording_id", "split"]).aggregate([]).to_pylist():
        if row["recording_id"] in content:
            yield row["recording_id"], content[row["recording_id"]], row["split"]


def check_hashes(sheet: Sheet, workspace: Workspace, rows: list[dict[str, Any]]) -> None:
    """What intake remembers of an original is true of it: else a run takes it for another file."""
    place = workspace.hashes.name
    if not workspace.hashes.exists():
        if any(row["sha256"] for row in rows):
            sheet.add(place, "gone; the next run reads every original again")
        return
    try:
        known = {row.uri: row for row in read_rows(workspace.hashes, Known)}
    except SpeechmillError as error:
        sheet.add(place, f"{error}; the next run reads every original again")
        return
    for row in rows:
        one = known.get(row["uri"])
        if one is not None and one.sha256 != row["sha256"] and _is_stale(one):
            sheet.add(row["id"], f"{place} has another hash of {one.uri} than the file; delete {place}, and run again")


def _is_stale(known: Known) -> bool:
    """Tell whether a file is what it was, as far as intake looks, and has another hash."""
    path = Path(known.uri)
    try:
        status = path.stat()
        same = (known.size, known.mtime_ns) == (status.st_size, status.st_mtime_ns)
        return same and sha256_file(path) != known.sha256
    except OSError:
        return False
