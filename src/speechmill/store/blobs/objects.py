# SPDX-License-Identifier: Apache-2.0
"""Objects in an S3-compatible store, by obstore. Google's and Azure's come with the library: they are untested here.

Keys are created, never replaced (If-None-Match). A file of one part is put in one request. A larger one can't be:
the library creates conditionally only what it holds in memory. It goes up in parts under a temporary key of its own,
is checked there, and is copied by the server to its name on the condition that nothing has it. (Above 5 GiB, which
servers don't copy in one request, it goes up under its own name.) A crash leaves at most a temporary object, which
`list(unfinished=True)` shows, or parts of an upload, which the bucket's own rule for incomplete uploads removes.

Checked means: the ETag is the MD5 of the bytes that had the promised SHA-256 when they were read from disk, which costs
no request. Where a server makes its ETags otherwise (encryption by KMS), the object is read back and hashed. Servers
that can verify a SHA-256 of each part on arrival are sent one.
"""

from __future__ import annotations

import contextlib
import hashlib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from speechmill.core.errors import BlobError, ConfigError
from speechmill.core.files import TEMPORARY, atomic
from speechmill.store.blobs import remote
from speechmill.store.blobs.keys import Blob, check_key, content_hash, is_unfinished

PART = 8 << 20  # bytes; S3 takes 10,000 parts of at least 5 MiB
CONCURRENCY = 4  # parts under way; with PART the memory that one put takes
MAX_COPY = 5 << 30  # bytes; the most that S3 copies in one request
_PAGE = 1000  # keys; what S3 lists in one answer


class _Sums(Struct, frozen=True):
    """What is known of a file's content."""

    size: int
    sha256: str
    etags: frozenset[str]  # those that a store of plain MD5s may give it


class ObjectBlobs:
    """A store under a prefix of a bucket. Used by any number of threads at once."""

    def __init__(self, address: str, patience_s: float) -> None:
        self._place = remote.parse(address)
        self._store = remote.connect(self._place, patience_s)
        self.address = str(self._place)

    def check(self) -> None:
        try:
            next(self.list(), None)
        except BlobError as error:
            if error.permanent:
                raise ConfigError(str(error)) from None
            raise

    def put(self, path: Path, key: str, sha256: str) -> bool:
        check_key(key)
        size = path.stat().st_size
        sums = self._put_small(path, key, sha256) if size <= PART else self._put_large(path, key, sha256)
        if sums is None:
            return True
        self._check_arrived(key, sums)
        return False

    def _put_small(self, path: Path, key: str, sha256: str) -> _Sums | None:
        """Put in one request. Returns the file's sums where the key is taken."""
        import obstore
        from obstore.exceptions import AlreadyExistsError

        content = path.read_bytes()
        hashing = _Hashing()
        hashing.update(content)
        sums = _checked(hashing.sums(), path, sha256)
        with remote.failures(self._place, key):
            try:
                answer = obstore.put(self._store, key, content, mode="create", use_multipart=False)
            except AlreadyExistsError:
                return sums
        if _bare(answer["e_tag"]) not in sums.etags:
            self._check_or_delete(key, sums)
        return None

    def _put_large(self, path: Path, key: str, sha256: str) -> _Sums | None:
        """Put in parts under another key, check, and let the server copy."""
        if self.exists(key):
            return _checked(_sums_of(path), path, sha256)
        if path.stat().st_size > MAX_COPY:
            self._upload(path, key, sha256)  # two that do so at once replace equal bytes by equal bytes
            return None
        folder, slash, _ = key.rpartition("/")
        temporary = f"{folder}{slash}{TEMPORARY}{uuid.uuid4().hex[:12]}"
        try:
            sums = self._upload(path, temporary, sha256)
            taken = not self._copied(temporary, key)
        finally:
            # It must not hide what went wrong before; what stays is listed as unfinished.
            with contextlib.suppress(BlobError):
                self.delete(temporary)
        return sums if taken else None

    def _upload(self, path: Path, key: str, sha256: str) -> _Sums:
        import obstore

        hashing = _Hashing()
        with path.open("rb") as file, remote.failures(self._place, key):
            answer = obstore.put(
                self._store,
                key,
                hashing.through(file),
                chunk_size=PART,
                max_concurrency=CONCURRENCY,
                use_multipart=True,
            )
        try:
            sums = _checked(hashing.sums(), path, sha256)
            if _bare(answer["e_tag"]) not in sums.etags:
                self._check_arrived(key, sums)
        except _Broken:
            self.delete(key)  # nobody else has relied on it yet
            raise
        return sums

    def _copied(self, source: str, key: str) -> bool:
        import obstore
        from obstore.exceptions import AlreadyExistsError

        with remote.failures(self._place, key):
            try:
                obstore.copy(self._store, source, key, overwrite=False)
            except AlreadyExistsError:
                return False
        return True

    def copy(self, source: str, key: str) -> bool:
        check_key(source)
        check_key(key)
        return self._copied(source, key)

    def get(self, key: str, path: Path) -> None:
        check_key(key)
        state = hashlib.sha256()
        with atomic(path) as temporary:
            with temporary.open("wb") as file:
                for chunk in self._read(key):
                    state.update(chunk)
                    file.write(chunk)
            promised = content_hash(self.url(key))
            if promised not in (None, state.hexdigest()):
                raise _broken(f"{self.address}/{key}")

    def exists(self, key: str) -> bool:
        return self._head(key) is not None

    def delete(self, key: str) -> None:
        import obstore

        check_key(key)
        try:
            with remote.failures(self._place, key):
                obstore.delete(self._store, key)
        except remote.StoreError as error:
            if error.reason != "missing":
                raise

    def list(self, prefix: str = "", *, unfinished: bool = False) -> Iterator[Blob]:
        import obstore

        folder = prefix.rpartition("/")[0]  # the library's prefixes are whole folders
        pages = iter(obstore.list(self._store, folder or None, chunk_size=_PAGE))
        while True:
            with remote.failures(self._place, prefix):
                page = next(pages, None)
            if page is None:
                return
            for blob in map(_blob, page):
                if blob.key.startswith(prefix) and is_unfinished(blob.key) is unfinished:
                    yield blob

    def local_path(self, key: str) -> Path | None:
        check_key(key)
        return None

    def url(self, key: str) -> str:
        return f"{self.address}/{check_key(key)}"

    def _head(self, key: str) -> Blob | None:
        import obstore

        check_key(key)
        try:
            with remote.failures(self._place, key):
                return _blob(obstore.head(self._store, key))
        except remote.StoreError as error:
            if error.reason == "missing":
                return None
            raise

    def _read(self, key: str) -> Iterator[bytes]:
        _size, chunks = remote.read(self._store, self._place, key)
        return chunks

    def _check_arrived(self, key: str, sums: _Sums) -> None:
        """See that an object is what its key says, by its ETag if possible. Raises BlobError."""
        found = self._head(key)
        if found is None:
            raise BlobError(f"{self.address}/{key}: gone since it was put")
        if found.size == sums.size and _bare(found.etag) in sums.etags:
            return
        state = hashlib.sha256()
        for chunk in self._read(key):
            state.update(chunk)
        if state.hexdigest() != sums.sha256:
            raise _broken(f"{self.address}/{key}")

    def _check_or_delete(self, key: str, sums: _Sums) -> None:
        """Check what this put has just created; nobody else has relied on it yet."""
        try:
            self._check_arrived(key, sums)
        except _Broken:
            self.delete(key)
            raise


class _Broken(BlobError):
    """A file or an object has other bytes than its hash says."""


def _broken(url: str) -> _Broken:
    return _Broken(f"{url} is broken: its bytes are not what its key says; delete it, and crawl again")


class _Hashing:
    """Takes the sums of a file while it passes."""

    def __init__(self) -> None:
        self._size = 0
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._parts: list[bytes] = []

    def through(self, file: Any) -> Iterator[bytes]:
        """Yield a file in parts."""
        while part := file.read(PART):
            self.update(part)
            yield part

    def update(self, part: bytes) -> None:
        self._size += len(part)
        self._sha256.update(part)
        self._md5.update(part)
        self._parts.append(hashlib.md5(part, usedforsecurity=False).digest())

    def sums(self) -> _Sums:
        whole = self._md5.digest()
        # Put in one request, put in our parts, and copied by the server as one part.
        etags = {whole.hex(), _etag_of_parts(self._parts), _etag_of_parts([whole])}
        return _Sums(self._size, self._sha256.hexdigest(), frozenset(etags))


def _etag_of_parts(parts: list[bytes]) -> str:
    return f"{hashlib.md5(b''.join(parts), usedforsecurity=False).hexdigest()}-{len(parts)}"


def _sums_of(path: Path) -> _Sums:
    hashing = _Hashing()
    with path.open("rb") as file:
        for _part in hashing.through(file):
            pass
    return hashing.sums()


def _checked(sums: _Sums, path: Path, sha256: str) -> _Sums:
    if sums.sha256 != sha256:
        raise _Broken(f"{path} is broken: its SHA-256 is {sums.sha256}, not {sha256}")
    return sums


def _bare(etag: str | None) -> str:
    return (etag or "").removeprefix("W/").strip('"').lower()


def _blob(found: Any) -> Blob:
    return Blob(found["path"], found["size"], found["last_modified"].timestamp(), _bare(found["e_tag"]) or None)
