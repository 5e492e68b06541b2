# SPDX-License-Identifier: Apache-2.0
"""Checks of exports: every file as its checksum says, nothing more or less, and of the dataset that is there."""

from __future__ import annotations

from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

from speechmill.core.errors import SpeechmillError
from speechmill.core.files import sha256_file
from speechmill.formats.manifest import read_parquet
from speechmill.pipeline.audit.findings import Check, Sheet
from speechmill.pipeline.export.commit import CHECKSUMS, given_out
from speechmill.pipeline.export.marker import EXPORT_MARKER, Export, Unit, read_marker
from speechmill.pipeline.refilter import Index
from speechmill.store.contents import FILE as CONTENTS
from speechmill.store.workspace import Workspace


def check_exports(workspace: Workspace, index: Index) -> list[Check]:
    """Check every export's files, and its rows against the dataset."""
    files, rows = Sheet("export-files"), Sheet("export-rows")
    kept, pieces = _kept(workspace), _pieces(workspace)
    for folder in sorted(workspace.exports.glob("[!.]*")):
        marker = read_marker(folder)
        place = folder.relative_to(workspace.root).as_posix()
        if marker is None:
            files.add(place, f"no readable {EXPORT_MARKER}: no export, or one that was cut off")
            continue
        _files(files, folder, place, marker)
        if _rows(rows, place, marker, index, kept) and pieces is not None:
            _shards(rows, place, marker, pieces)
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
    lines = (line.partition("  ") for line in path.read_text(encoding="utf-8", errors="replace").splitlines())
    listed = {name: sha256 for sha256, _blank, name in lines}
    for name in sorted(listed.keys() | stated.keys()):
        if listed.get(name) != stated.get(name):
            sheet.add(f"{place}/{CHECKSUMS}", f"{name}: other than the export says")


def _rows(sheet: Sheet, place: str, marker: Export, index: Index, kept: dict[str, int]) -> bool:
    """Compare an export with the dataset that it is of. Returns whether it is of the one that is there."""
    sheet.saw(marker.segments)
    if (marker.table, marker.decisions) != (index.table, index.decisions):
        sheet.add(
            place, f"made of an earlier dataset; write it anew with: speechmill export WORKSPACE {place.split('/')[-1]}"
        )
        return False
    if marker.shards and sum(shard.segments for shard in marker.shards) != marker.segments:
        sheet.add(place, f"it says {marker.segments} segments, and its shards have another number")
    if marker.segments != sum(kept.values()):
        sheet.add(place, f"{marker.segments} segments, and the dataset keeps {sum(kept.values())}")
    for shard in marker.shards:
        if strange := sorted(set(shard.recordings) - kept.keys()):
            sheet.add(f"{place}: shard {shard.name}", f"{strange[0]!r} has no kept segment in the dataset")
    return True


Pieces = dict[Unit, tuple[int, str]]  # segments and split


def _pieces(workspace: Workspace) -> Pieces | None:
    """Return what the dataset keeps of each hour, and as hour -1 of each recording; None where that is lost."""
    try:
        table = read_parquet(workspace.dataset / CONTENTS, ["recording_id", "hour", "kept", "split"])
    except (SpeechmillError, OSError):
        return None  # a finding of its own
    found: Pieces = {}
    for row in table.to_pylist():
        id = row["recording_id"]
        found[(id, row["hour"])] = row["kept"], row["split"]
        found[(id, -1)] = found.get((id, -1), (0, ""))[0] + row["kept"], row["split"]
    return found


def _shards(sheet: Sheet, place: str, marker: Export, pieces: Pieces) -> None:
    """Each shard has what the dataset keeps of its units, and every unit is in one."""
    seen: set[Unit] = set()
    for shard in marker.shards:
        where = f"{place}: shard {shard.name}"
        mine = [pieces.get(unit, (0, shard.split)) for unit in shard.units]
        if sum(kept for kept, _split in mine) != shard.segments:
            sheet.add(where, f"{shard.segments} segments, and the dataset keeps others of these recordings")
        if any(split != shard.split for _kept, split in mine):
            sheet.add(where, f"the dataset has some of it in another split than {shard.split}")
        if twice := seen.intersection(shard.units):
            sheet.add(where, f"{min(twice)[0]!r} is in another shard, too")
        seen.update(shard.units)
    whole = {id for id, hour in seen if hour < 0}
    lost = sorted(unit for unit in pieces if unit[1] >= 0 and unit not in seen and unit[0] not in whole)
    if marker.shards and lost:
        sheet.add(place, f"{lost[0][0]!r} is kept in the dataset, and in no shard")
