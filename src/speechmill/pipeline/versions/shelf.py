# SPDX-License-Identifier: Apache-2.0
"""The versions of a workspace: found by number, by name or by fingerprint."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import msgspec
import pyarrow as pa

from speechmill.core.errors import ConfigError, WorkspaceError
from speechmill.formats.manifest import read_parquet
from speechmill.pipeline.versions.manifest import MANIFEST, RECORDINGS, Manifest
from speechmill.store.workspace import Workspace

_FOLDER = re.compile(r"(\d{5,})-([0-9a-f]{16})")
_LATEST = re.compile(r"latest(?:~(\d+))?")


class Version(NamedTuple):
    """A version and where what it names lies, whether or not that is still there."""

    folder: Path
    manifest: Manifest
    segments: Path
    recordings: Path
    decisions: Path

    @property
    def has_rows(self) -> bool:
        """Whether its segments can still be read."""
        return self.segments.exists() and self.recordings.exists() and self.decisions.exists()

    def facts(self) -> pa.Table:
        """Return its recordings: a `RecordingFact` a row."""
        return read_parquet(self.folder / RECORDINGS)


class Shelf:
    """Reads the versions of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def numbers(self) -> list[int]:
        """Return the numbers of all versions, ascending."""
        return sorted(self._folders())

    def all(self) -> list[Version]:
        """Return every version, oldest first."""
        return [self._read(folder) for _number, folder in sorted(self._folders().items())]

    def newest(self) -> Version | None:
        """Return the version that was made last; None where there is none."""
        found = self._folders()
        return self._read(found[max(found)]) if found else None

    def find(self, wanted: str) -> Version:
        """Return a version by its number, `latest`, `latest~2` or the start of its fingerprint. Raises ConfigError."""
        found = self._folders()
        if not found:
            raise WorkspaceError(
                f"{self._workspace.root} has no version of a dataset yet. Make one with: speechmill run CORPUS "
                f"--out {self._workspace.root}"
            )
        numbers = sorted(found)
        number = self._number(wanted, numbers)
        if number is None:
            number = max((n for n in numbers if len(wanted) >= 4 and _of(found[n]).startswith(wanted)), default=None)
        if number not in found:
            raise ConfigError(
                f"no version {wanted!r} in {self._workspace.root}; there are {numbers[0]} to {numbers[-1]}, "
                f"and latest, latest~1 and so on. See: speechmill dataset log {self._workspace.root}"
            )
        return self._read(found[number])

    def _number(self, wanted: str, numbers: list[int]) -> int | None:
        if latest := _LATEST.fullmatch(wanted):
            back = int(latest[1] or 0)
            return numbers[-1 - back] if back < len(numbers) else None
        return int(wanted) if wanted.isdecimal() and int(wanted) in numbers else None

    def _folders(self) -> dict[int, Path]:
        found = {}
        for folder in self._workspace.versions.glob("[0-9]*-*"):
            if match := _FOLDER.fullmatch(folder.name):
                found[int(match[1])] = folder
        return found

    def _read(self, folder: Path) -> Version:
        path = folder / MANIFEST
        try:
            manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise WorkspaceError(f"{path} can't be read: {error}. Its folder may be deleted") from error
        place = self._workspace
        return Version(
            folder,
            manifest,
            place.tables / f"segments-{manifest.table}.parquet",
            place.tables / f"recordings-{manifest.table}.parquet",
            place.decisions / f"decisions-{manifest.decisions}.parquet",
        )


def _of(folder: Path) -> str:
    return folder.name.partition("-")[2]
