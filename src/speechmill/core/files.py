# SPDX-License-Identifier: Apache-2.0
"""Files that are either whole or absent: temporary name, fsync, rename."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

# Not one file's fault: work stops and says so, instead of failing everything after it.
FATAL_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
TEMPORARY = ".tmp-"  # prefix of names that a crash may leave behind; `speechmill gc` removes them


def raise_fatal(error: BaseException) -> None:
    """Raise an error again that is the disk's, and leave all others to the caller."""
    if isinstance(error, OSError) and error.errno in FATAL_ERRNOS:
        raise error


@contextlib.contextmanager
def atomic(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary path in the same folder; on success it becomes `path`, on failure it goes.

    durable: file and folder are fsynced, so that what has its name survives a power cut. A thousand small files that
    the same command makes again do without: that costs milliseconds each.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays: libraries choose a format by it.
    temporary = path.parent / f"{TEMPORARY}{uuid.uuid4().hex[:12]}{path.suffix}"
    try:
        yield temporary
        if durable:
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
        temporary.replace(path)
        if durable:
            sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make a rename durable. Windows has no such call and needs none."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_bytes(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write a whole small file atomically."""
    with atomic(path, durable=durable) as temporary:
        temporary.write_bytes(content)


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Digest:
    """SHA-256 of length-prefixed parts, so that ("ab", "c") and ("a", "bc") differ; of many, one at a time."""

    def __init__(self, *parts: bytes | str) -> None:
        self._state = hashlib.sha256()
        for part in parts:
            self.add(part)

    def add(self, part: bytes | str) -> None:
        """Take in another part."""
        raw = part.encode() if isinstance(part, str) else part
        self._state.update(len(raw).to_bytes(8, "big"))
        self._state.update(raw)

    def hex(self) -> str:
        """Return the digest of all parts so far."""
        return self._state.hexdigest()


def digest(*parts: bytes | str) -> str:
    """Hex SHA-256 of length-prefixed parts."""
    return Digest(*parts).hex()
