# SPDX-License-Identifier: Apache-2.0
"""Shards of an export under way: `exports/.partial-<format>/<digest>/`, each with its record once it is whole.

They outlive whatever ends the export, and the next try takes up those that still fit.
"""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

import msgspec

from speechmill.core.files import TEMPORARY, sha256_file, write_bytes
from speechmill.pipeline.export.commit import intact
from speechmill.pipeline.export.marker import ShardRecord

_RECORD = "record.json"
_FILES = "files"


class Partial:
    """The folder in which an export is made."""

    def __init__(self, exports: Path, name: str) -> None:
        self.folder = exports / f".partial-{name}"

    def found(self, digest: str) -> ShardRecord | None:
        """Return the record of a shard that an earlier try has finished."""
        try:
            record = msgspec.json.decode((self.folder / digest / _RECORD).read_bytes(), type=ShardRecord)
        except (FileNotFoundError, msgspec.MsgspecError):
            return None
        files = self.files(digest)
        if not intact(files, record):
            return None
        # Nobody has waited for the disk: behind a power cut a file may be as long as it was, and hold nothing.
        return record if all(sha256_file(files / one.path) == one.sha256 for one in record.files) else None

    def begin(self) -> Path:
        """Return a new empty folder for a shard's files."""
        folder = self.folder / f"{TEMPORARY}{uuid.uuid4().hex[:12]}" / _FILES
        folder.mkdir(parents=True)
        return folder

    def finish(self, files: Path, record: ShardRecord) -> None:
        """Keep a shard that was written."""
        made = files.parent
        write_bytes(made / _RECORD, msgspec.json.encode(record))
        target = self.folder / record.digest
        shutil.rmtree(target, ignore_errors=True)
        made.replace(target)

    def files(self, digest: str) -> Path:
        """Where the files of a finished shard are."""
        return self.folder / digest / _FILES

    def whole(self) -> Path:
        """Return an empty folder in which the export is put together."""
        folder = self.folder / "whole"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def tidy(self) -> None:
        """Remove what a try left behind that isn't a finished shard."""
        for path in self.folder.glob(f"{TEMPORARY}*"):
            shutil.rmtree(path, ignore_errors=True)

    def remove(self) -> None:
        """Remove everything: the export is in its place."""
        shutil.rmtree(self.folder, ignore_errors=True)
