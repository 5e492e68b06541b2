# SPDX-License-Identifier: Apache-2.0
"""Tar archives as POSIX has them (ustar), of no date and nobody's: equal files, equal bytes.

Written by hand, for a header takes Python's tarfile as long as cutting a clip does.
"""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path
from types import TracebackType
from typing import Self

_BLOCK = 512
_RECORD = 20 * _BLOCK  # tar fills its archives up to that
_NAME_BYTES = 100
_EXTENSION_BYTES = 16  # what is left of a name for it
_LARGEST = 8**11 - 1  # bytes


class Tar:
    """An archive that is written. Each name may be used once."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._file:
            if kind is None:
                size = self._file.tell() + 2 * _BLOCK
                self._file.write(bytes(2 * _BLOCK + -size % _RECORD))

    def add(self, name: str, content: bytes) -> None:
        """Add a file."""
        self._file.write(_header(name.encode(), len(content)))
        self._file.write(content)
        self._file.write(bytes(-len(content) % _BLOCK))


def _header(name: bytes, size: int) -> bytes:
    if len(name) > _NAME_BYTES or size > _LARGEST:  # for those POSIX has extended headers, one more block or three
        member = tarfile.TarInfo(name.decode())
        member.size = size
        return member.tobuf(tarfile.PAX_FORMAT)
    owner = b"0000644\0" + b"0000000\0" * 2
    before = name.ljust(_NAME_BYTES, b"\0") + owner + b"%011o\0" % size + b"00000000000\0"
    after = (b"0" + bytes(100) + b"ustar\x0000").ljust(_BLOCK - 156, b"\0")
    checksum = sum(before) + 8 * 0x20 + sum(after)
    return before + b"%06o\0 " % checksum + after


def key_of(segment_id: str) -> str:
    """Return a segment's name in an archive: readers take what follows its first dot for an extension.

    Other ids stay others.

    >>> key_of("talk-0-0000100-0001100"), key_of("v1.5-0-0000100-0001100")
    ('talk-0-0000100-0001100', 'v1_5-0-0000100-0001100_3b748d8f')
    """
    plain = segment_id.replace(".", "_").replace("/", "_")
    longest = _NAME_BYTES - _EXTENSION_BYTES
    if plain == segment_id and len(plain.encode()) <= longest:
        return plain
    kept = plain.encode()[: longest - 9].decode(errors="ignore")
    return f"{kept}_{hashlib.sha256(segment_id.encode()).hexdigest()[:8]}"
