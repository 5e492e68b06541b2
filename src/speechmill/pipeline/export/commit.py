# SPDX-License-Identifier: Apache-2.0
"""Putting an export together, and giving it the place of the one before: whatever happens, one whole export is there.

The new one is complete, marker and all, below another name. Then the old one is renamed to `.old-<format>`, the new one
to its place, and the old one goes. Where that is cut off, `recover` finds one of three states and ends it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from stat import S_ISREG

from speechmill.core.errors import SpeechmillError
from speechmill.core.files import sync_folder
from speechmill.exporters import PARTS
from speechmill.pipeline.export.marker import EXPORT_MARKER, Export, FileRecord, ShardRecord, read_marker

CHECKSUMS = "CHECKSUMS.sha256"
_FEW = 64  # files, for which an fsync each waits for less than everything that a machine has to write


def place(source: Path, target: Path, files: Iterable[FileRecord]) -> None:
    """Bring files of a folder into another at the same paths, as links where the file system has them."""
    made: set[str] = set()
    before, after = str(source), str(target)  # pathlib takes as long for a small file as linking it
    for file in files:
        path = os.path.join(after, file.path)
        parent = os.path.dirname(path)
        if parent not in made:
            os.makedirs(parent, exist_ok=True)
            made.add(parent)
        try:
            link(os.path.join(before, file.path), path)
        except FileExistsError:
            raise SpeechmillError(
                f"two shards have written {file.path}: the exporter gives both the same name"
            ) from None


def link(source: str, target: str) -> None:
    """Give a file another name; its copy, where the file system has no links. Raises FileExistsError."""
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:  # no links there (FAT, some network file systems), or too many of this file
        if os.path.exists(target):
            raise FileExistsError(target) from None
        shutil.copyfile(source, target)


def intact(folder: Path, shard: ShardRecord) -> bool:
    """Tell whether the files of a shard are there, as long as they were; a link is no file of a shard."""
    try:
        found = [os.lstat(os.path.join(folder, file.path)) for file in shard.files]
    except OSError:
        return False
    return all(S_ISREG(one.st_mode) and one.st_size == file.bytes for one, file in zip(found, shard.files, strict=True))


def write_checksums(folder: Path, files: Iterable[FileRecord]) -> None:
    """Write CHECKSUMS.sha256 of what is given out, as `sha256sum -c` reads it."""
    lines = [
        f"{file.sha256}  {file.path}\n" for file in sorted(files, key=lambda one: one.path) if given_out(file.path)
    ]
    (folder / CHECKSUMS).write_text("".join(lines), encoding="utf-8", newline="\n")


def given_out(path: str) -> bool:
    """Tell whether a file of an export is for those who use it."""
    return path.split("/")[0] != PARTS and path not in (EXPORT_MARKER, CHECKSUMS)


def settle(folder: Path, files: Iterable[FileRecord]) -> None:
    """Have the files of an export on the disk, before anything says that they are there.

    The export before goes when the new one is in its place: a power cut behind that must find the new one's bytes.
    An fsync takes milliseconds, too long for each of a million small files: one sync brings all of them, and whatever
    else the machine has yet to write.
    """
    paths = sorted({file.path for file in files})
    if len(paths) > _FEW and hasattr(os, "sync"):
        os.sync()
        return
    for path in paths:
        with (folder / path).open("rb") as file:
            os.fsync(file.fileno())
    for parent in sorted({parent for path in paths for parent in PurePosixPath(path).parents}):
        sync_folder(folder / parent)


def swap(staging: Path, folder: Path) -> None:
    """Put a finished export in the place of the one before."""
    old = old_of(folder)
    if old.exists():
        shutil.rmtree(old)
    if folder.exists():
        folder.replace(old)
    staging.replace(folder)
    sync_folder(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def old_of(folder: Path) -> Path:
    """Where the export before is while the new one takes its place."""
    return folder.with_name(f".old-{folder.name}")


def cut_off(exports: Path) -> dict[str, Export]:
    """Return the exports whose swap was cut off, or is being done: they are there, though not in their place."""
    found = {old: read_marker(old) for old in sorted(exports.glob(".old-*"))}
    return {old.name.removeprefix(".old-"): made for old, made in found.items() if made is not None}


def recover(exports: Path) -> None:
    """End every swap that was cut off: an old export without a successor is back in its place.

    Only for who holds the workspace: a swap that is being done looks the same.
    """
    for old in sorted(exports.glob(".old-*")):
        folder = exports / old.name.removeprefix(".old-")
        if read_marker(folder) is not None or read_marker(old) is None:
            shutil.rmtree(old)
        else:
            old.replace(folder)
