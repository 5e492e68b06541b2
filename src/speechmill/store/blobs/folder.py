# SPDX-License-Identifier: Apache-2.0
"""Objects as files of a folder: written under another name, checked, fsynced, renamed."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from speechmill.core.errors import BlobError, ConfigError
from speechmill.core.files import atomic, raise_fatal, sha256_file, sync_folder
from speechmill.store.blobs.keys import Blob, check_key, content_hash, is_unfinished

_CHUNK = 1 << 20  # bytes


class FolderBlobs:
    """A store in a folder, which the first object makes."""

    def __init__(self, root: Path) -> None:
        self._root = Path(os.path.abspath(root.expanduser()))
        self.address = str(self._root)

    def check(self) -> None:
        try:
            self._root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise_fatal(error)
            raise ConfigError(f"{self._root} can't be a folder of originals: {error.strerror}") from error
        if not os.access(self._root, os.W_OK | os.X_OK):
            raise ConfigError(f"{self._root} can't be written; name another folder in crawl: originals")

    def put(self, path: Path, key: str, sha256: str) -> bool:
        target = self._path(key)
        with _failures(target):
            if target.exists():
                _check(target, sha256_file(target), sha256)
                return False
            _make_folder(target.parent)
            # Two that put the same at once replace equal bytes by equal bytes.
            with atomic(target) as temporary:
                _check(path, _copy(path, temporary), sha256)
        return True

    def copy(self, source: str, key: str) -> bool:
        target = self._path(key)
        with _failures(target):
            if target.exists():
                return False
            _make_folder(target.parent)
            with atomic(target) as temporary:
                _copy(self._path(source), temporary)
        return True

    def get(self, key: str, path: Path) -> None:
        source = self._path(key)
        with _failures(source), atomic(path) as temporary:
            found = _copy(source, temporary)
            _check(source, found, content_hash(source.as_posix()) or found)

    def exists(self, key: str) -> bool:
        path = self._path(key)
        with _failures(path):
            return path.is_file()

    def delete(self, key: str) -> None:
        path = self._path(key)
        with _failures(path):
            path.unlink(missing_ok=True)

    def list(self, prefix: str = "", *, unfinished: bool = False) -> Iterator[Blob]:
        folder = prefix.rpartition("/")[0]
        root = self._path(folder) if folder else self._root
        for blob in self._below(root, f"{folder}/" if folder else ""):
            if blob.key.startswith(prefix) and is_unfinished(blob.key) is unfinished:
                yield blob

    def local_path(self, key: str) -> Path | None:
        path = self._path(key)
        return path if path.is_file() else None

    def url(self, key: str) -> str:
        return str(self._path(key))

    def _path(self, key: str) -> Path:
        if os.name == "nt" and ":" in key:  # a drive, or a stream of another file
            raise BlobError(f"{key!r} is no key: ':' in it", permanent=True)
        return self._root / check_key(key)

    def _below(self, folder: Path, key: str) -> Iterator[Blob]:
        """Yield what is below a folder in the order of whole keys, in which "a-b" comes before "a/b"."""
        with _failures(folder):
            try:
                with os.scandir(folder) as found_here:
                    entries = [(entry.name + "/" * entry.is_dir(), entry) for entry in found_here]
            except FileNotFoundError:
                return
        for name, entry in sorted(entries, key=lambda one: one[0]):
            if name.endswith("/"):
                yield from self._below(folder / entry.name, key + name)
                continue
            try:
                found = entry.stat()
            except FileNotFoundError:  # deleted, or renamed to its final name, since
                continue
            yield Blob(key + name, found.st_size, found.st_mtime)


@contextlib.contextmanager
def _failures(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise BlobError(f"{error.filename or path}: no such file", permanent=True) from error
    except OSError as error:
        raise_fatal(error)
        raise BlobError(f"{error.filename or path}: {error.strerror}") from error


def _copy(source: Path, target: Path) -> str:
    """Copy a file and return the SHA-256 of what was read."""
    state = hashlib.sha256()
    with source.open("rb") as reader, target.open("wb") as writer:
        while chunk := reader.read(_CHUNK):
            state.update(chunk)
            writer.write(chunk)
    return state.hexdigest()


def _check(path: Path, found: str, promised: str) -> None:
    if found != promised:
        raise BlobError(f"{path} is broken: its SHA-256 is {found}, not {promised}; delete it, and crawl again")


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it, each of which survives a power cut."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)
