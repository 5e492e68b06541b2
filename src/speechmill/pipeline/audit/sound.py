# SPDX-License-Identifier: Apache-2.0
"""Checks of audio: canonical FLACs decode to what was written, as long as stated; originals are what they were."""

from __future__ import annotations

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
    columns = ["id", "uri", "sha256", "duration", "audio", "origin", "alias_of"]
    with pq.ParquetFile(workspace.dataset / "recordings.parquet") as file:
        rows = [row for row in file.read(columns=columns).to_pylist() if row["audio"] and not row["alias_of"]]
    drawn = {row["id"] for row in sorted(rows, key=lambda row: digest(row["id"]))[:limit]}
    headers, decoded, originals = Sheet("audio"), Sheet("audio-decoded"), Sheet("originals")
    for row in rows:
        paths = [workspace.root / path for path in row["audio"]]
        fine = [path for path in paths if _header(headers, path, row)]
        if row["id"] in drawn:
            for path in fine:
                _decoded(decoded, path, row["id"])
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


def _decoded(sheet: Sheet, path: Path, recording_id: str) -> None:
    """All samples decode, and have the MD5 and the number that the header states."""
    sheet.saw()
    try:
        with FlacReader(path) as reader:
            for _samples in reader.frames():
                pass
    except AudioError as error:
        sheet.add(recording_id, f"{error.reason}: {error.detail}")


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
