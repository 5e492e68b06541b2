# SPDX-License-Identifier: Apache-2.0
"""The one kind of object that is replaced: a small one that says which others count.

Two that replace it at once don't overwrite each other: the second one is told that it has changed meanwhile.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple, Protocol

from speechmill.core.errors import BlobError
from speechmill.core.files import write_bytes
from speechmill.store.blobs import remote
from speechmill.store.blobs.keys import check_key


class Read(NamedTuple):
    """A pointer's content, and how it is told from another."""

    content: bytes
    etag: str


class Pointer(Protocol):
    """One key of a store."""

    def read(self) -> Read | None:
        """Return what it says; None where there is none yet. Raises BlobError."""
        ...

    def replace(self, content: bytes, before: Read | None) -> None:
        """Write it, if it is still what was read. Raises BlobError where it isn't, or the store fails."""
        ...


def open_pointer(address: str, key: str, *, patience_s: float = 60.0) -> Pointer:
    """Open a key of a folder or of s3://bucket/prefix."""
    if "://" in address:
        return _ObjectPointer(address, key, patience_s)
    return _FilePointer(Path(address) / check_key(key))


class _FilePointer:
    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Read | None:
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return None
        return Read(content, hashlib.sha256(content).hexdigest())

    def replace(self, content: bytes, before: Read | None) -> None:
        if self.read() != before:
            raise _changed(str(self._path))
        write_bytes(self._path, content)


class _ObjectPointer:
    def __init__(self, address: str, key: str, patience_s: float) -> None:
        self._place = remote.parse(address)
        self._store = remote.connect(self._place, patience_s)
        self._key = check_key(key)

    def read(self) -> Read | None:
        import obstore

        try:
            with remote.failures(self._place, self._key):
                answer = obstore.get(self._store, self._key)
                return Read(bytes(answer.bytes()), answer.meta["e_tag"])
        except remote.StoreError as error:
            if error.reason == "missing":
                return None
            raise

    def replace(self, content: bytes, before: Read | None) -> None:
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        with remote.failures(self._place, self._key):
            try:
                mode = "create" if before is None else {"e_tag": before.etag}
                obstore.put(self._store, self._key, content, mode=mode, use_multipart=False)
            except (AlreadyExistsError, PreconditionError):
                changed = True
            else:
                changed = False
        # A request that was answered with an error though it was done is tried again by the library, and refused.
        if changed and ((now := self.read()) is None or now.content != content):
            raise _changed(f"{self._place}/{self._key}")


def _changed(url: str) -> BlobError:
    return BlobError(f"{url} was changed by somebody else meanwhile; what they wrote is kept. Do it again")
