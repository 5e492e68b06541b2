# SPDX-License-Identifier: Apache-2.0
"""What an export says of itself: `exports/<format>/.speechmill-export.json`, written last.

The next export of that format learns from it which shard holds what, and which files can stay as they are.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from speechmill.core.files import write_bytes
from speechmill.core.paths import leads_out
from speechmill.core.types import SPLITS

EXPORT_MARKER = ".speechmill-export.json"
_NAME = re.compile(r"[a-z]+-[0-9]{5,9}")

Unit = tuple[str, int]  # recording and hour of it; hour -1: the whole recording


class FileRecord(Struct, frozen=True):
    """A file of an export."""

    path: str  # in the export, with "/"
    bytes: int
    sha256: str

    def __post_init__(self) -> None:
        """Refuse what would be linked, copied or sent from elsewhere: a marker may come with a workspace."""
        if leads_out(self.path):
            raise ValueError(f"{self.path[:200]!r} does not lie in the export")


class ShardRecord(Struct, frozen=True):
    """A shard that was written: what is in it, and what came of it."""

    name: str
    split: str
    digest: str  # of everything that its bytes follow from
    units: tuple[Unit, ...]
    segments: int
    seconds: float
    files: tuple[FileRecord, ...]
    note: Any = None

    def __post_init__(self) -> None:
        """Refuse a name that no shard has: exporters name files by it."""
        if not _NAME.fullmatch(self.name) or self.name.rpartition("-")[0] != self.split or self.split not in SPLITS:
            raise ValueError(f"{self.name[:60]!r} of {self.split[:60]!r} is no shard's name")

    @property
    def recordings(self) -> tuple[str, ...]:
        """Ids of its recordings, in their order."""
        return tuple(dict.fromkeys(recording for recording, _hour in self.units))


class Export(Struct, frozen=True):
    """What an export was made of, and what it holds."""

    fingerprint: str
    table: str = ""
    decisions: str = ""
    segments: int = 0
    packing: str = ""  # how recordings were put into shards; another packing packs all of them anew
    numbers: dict[str, int] = {}  # split -> number that its next shard gets
    shards: tuple[ShardRecord, ...] = ()
    files: tuple[FileRecord, ...] = ()  # of the export as a whole


def read_marker(folder: Path) -> Export | None:
    """Return what an export says of itself; None where there is none, or none that can be read."""
    try:
        return msgspec.json.decode((folder / EXPORT_MARKER).read_bytes(), type=Export)
    except (FileNotFoundError, NotADirectoryError, msgspec.MsgspecError, ValueError, RecursionError):
        return None


def write_marker(folder: Path, export: Export) -> None:
    """Write the marker; from then on the folder is an export."""
    write_bytes(folder / EXPORT_MARKER, msgspec.json.encode(export))
