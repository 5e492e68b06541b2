# SPDX-License-Identifier: Apache-2.0
"""Checks of exports: every file as its checksum says, nothing more or less, and of the dataset that is there."""

from __future__ import annotations

from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

from speechmill.core.files import sha256_file
from speechmill.pipeline.audit.findings import Check, Sheet
from speechmill.pipeline.export.commit import CHECKSUMS, given_out
from speechmill.pipeline.export.marker import EXPORT_MARKER, Export, read_marker
from speechmill.pipeline.refilter import Index
from speechmill.store.workspace import Workspace


def check_exports(workspace: Workspace, index: Index) -> list[Check]:
    """Check every export's files, and its rows against the dataset."""
    files, rows = Sheet("export-files"), Sheet("export-rows")
    kept = _kept(workspace)
    for folder in sorted(workspace.exports.glob("[!.]*")):
        marker = read_marker(folder)
        place = folder.relative_to(workspace.root).as_posix()
        if marker is None:
            files.add(place, f"no readable {EXPORT_MARKER}: no export, or one that was cut off")
            continue
        _files(files, folder, place, marker)
        _rows(rows, place, marker, index, kept)
    return [files.done(), rows.done()]


def _kept(workspace: Workspace) -> dict[str, int]:
    """Return how many segments of each recording are kept."""
    with pq.ParquetFile(workspace.dataset / "segments.parquet") as file:
        table = file.read(columns=["recording_id", "drops"])
    kept = table.filter(pc.equal(pc.fill_null(pc.list_value_length(table["drops"]), 0), 0))
    counts = kept["recording_id"].value_counts().to_pylist()
    return {row["values"]: row["counts"] for row in counts}


def _files(sheet: Sheet, folder: Path, place: str, marker: Export) -> None:
    stated = {file.path: file for file in (*marker.files, *(file for one in marker.shards for file in one.files))}
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    for name, file in sorted(stated.items()):
        sheet.saw()
        path = folder / name
        if name not in there:
            sheet.add(f"{place}/{name}", "gone")
        elif path.stat().st_size != file.bytes:
            sheet.add(f"{place}/{name}", f"{path.stat().st_size} bytes, and {file.bytes} were written")
        elif sha256_file(path) != file.sha256:
            sheet.add(f"{place}/{name}", "its SHA-256 is not that of what was written")
    for name in sorted(there - stated.keys() - {EXPORT_MARKER, CHECKSUMS}):
        sheet.add(f"{place}/{name}", "not of this export")
    _checksums(sheet, folder, place, {name: file.sha256 for name, file in stated.items() if given_out(name)})


def _checksums(sheet: Sheet, folder: Path, place: str, stated: dict[str, str]) -> None:
    path = folder / CHECKSUMS
    if not path.exists():
        sheet.add(f"{place}/{CHECKSUMS}", "gone")
        return
    lines = (line.partition("  ") for line in path.read_text(encoding="utf-8").splitlines())
    listed = {name: sha256 for sha256, _blank, name in lines}
    for name in sorted(listed.keys() | stated.keys()):
        if listed.get(name) != stated.get(name):
            sheet.add(f"{place}/{CHECKSUMS}", f"{name}: other than the export says")


def _rows(sheet: Sheet, place: str, marker: Export, index: Index, kept: dict[str, int]) -> None:
    sheet.saw(marker.segments)
    if (marker.table, marker.decisions) != (index.table, index.decisions):
        sheet.add(place, f"made of an earlier dataset; write it anew with: speechmill export {place.split('/')[-1]}")
        return
    if marker.shards and sum(shard.segments for shard in marker.shards) != marker.segments:
        sheet.add(place, f"it says {marker.segments} segments, and its shards have another number")
    if marker.segments != sum(kept.values()):
        sheet.add(place, f"{marker.segments} segments, and the dataset keeps {sum(kept.values())}")
    for shard in marker.shards:
        if strange := sorted(set(shard.recordings) - kept.keys()):
            sheet.add(f"{place}: shard {shard.name}", f"{strange[0]!r} has no kept segment in the dataset")
