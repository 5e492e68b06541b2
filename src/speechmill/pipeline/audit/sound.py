# SPDX-License-Identifier: Apache-2.0
"""Checks of audio: canonical FLACs decode to what was written, as long as stated; originals are what they were."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from speechmill.core.errors import AudioError
from speechmill.core.files import digest, sha256_file
from speechmill.core.timebase import CANONICAL_HZ
from speechmill.formats.flac import FlacReader, stream_info
from speechmill.pipeline.audit.findings import Check, Sheet
from speechmill.pipeline.audit.remembered import check_hashes
from speechmill.store.workspace import Workspace

TOLERANCE_S = 0.002  # a duration is that of the original's timeline


def check_sound(workspace: Workspace, limit: int | None) -> list[Check]:
    """Check headers of all audio, and decode that of `limit` recordings (None: of all), drawn by their ids."""
    columns = ["id", "uri", "sha256", "duration", "audio", "peak_dbfs", "origin", "alias_of"]
    with pq.ParquetFile(workspace.dataset / "recordings.parquet") as file:
        rows = [row for row in file.read(columns=columns).to_pylist() if row["audio"] and not row["alias_of"]]
    drawn = {row["id"] for row in sorted(rows, key=lambda row: digest(row["id"]))[:limit]}
    headers, decoded, originals = Sheet("audio"), Sheet("audio-decoded"), Sheet("originals")
    for row in rows:
        paths = [workspace.root / path for path in row["audio"]]
        fine = [path for path in paths if _header(headers, path, row)]
        if row["id"] in drawn:
            peaks = [_decoded(decoded, path, row["id"]) for path in fine]
            if len(fine) == len(paths):
                _peak(decoded, peaks, row)
            _original(originals, row)
    check_hashes(originals, workspace, rows)
    return [headers.done(), decoded.done(), originals.done()]


def _header(sheet: Sheet, path: Path, row: dict[str, Any]) -> bool:
    """A FLAC is there, and as long as its recording."""
    sheet.saw()
    try:
        info = stream_info(path)
    except AudioError as error:
        sheet.add(row["id"], f"{error.reason}: {error.detail}")
        return False
    seconds = info.num_samples / info.sampling_rate if info.sampling_rate else 0.0
    if info.sampling_rate != CANONICAL_HZ or info.channels != 1:
        sheet.add(row["id"], f"{path.name} has {info.sampling_rate} Hz and {info.channels} channels")
    elif abs(seconds - row["duration"]) > TOLERANCE_S:
        sheet.add(row["id"], f"{path.name} is {seconds:.3f} s long, its recording {row['duration']:.3f} s")
    return True


def _decoded(sheet: Sheet, path: Path, recording_id: str) -> int | None:
    """All samples decode, and have the MD5 and the number that the header states. Returns their peak, of 32,768."""
    sheet.saw()
    peak = 0
    try:
        with FlacReader(path) as reader:
            for samples in reader.frames():
                peak = max(peak, int(samples.max(initial=0)), -int(samples.min(initial=0)))
    except AudioError as error:
        sheet.add(recording_id, f"{error.reason}: {error.detail}")
        return None
    return peak


def _peak(sheet: Sheet, peaks: list[int | None], row: dict[str, Any]) -> None:
    """Audio is as loud as it was when it was written: that of another recording has its own hash, and fits it."""
    found = [peak for peak in peaks if peak is not None]
    if len(found) < len(peaks):
        return  # said already
    peak_dbfs = round(20 * math.log10(max(found) / 32768), 2) if any(found) else None
    if peak_dbfs != row["peak_dbfs"]:
        sheet.add(row["id"], f"its peak is {peak_dbfs} dBFS, its recording's {row['peak_dbfs']}: audio of another one")


def _original(sheet: Sheet, row: dict[str, Any]) -> None:
    """A local original that is there still has the hash that it had; one that is gone is its owner's matter."""
    path = Path(row["uri"])
    if row["origin"] != "local" or not path.is_file():
        return
    sheet.saw()
    try:
        found = sha256_file(path)
    except OSError as error:
        sheet.add(row["id"], f"{path}: {error.strerror or error}")
        return
    if found != row["sha256"]:
        sheet.add(row["id"], f"{path} has changed since: run the corpus again")
