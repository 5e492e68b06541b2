# SPDX-License-Identifier: Apache-2.0
"""Sending a finished export to an object store, or to a folder: `<to>/<format>/<version>/...`.

A version's name follows from its checksums, so that a try that was cut off goes on where it ended, and its files are
never those of another version. What the last version has too is copied inside the store. `<to>/<format>/index.json`
says which versions are whole and which is the newest; it is written when everything else is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from msgspec import Struct

from speechmill.core.errors import BlobError, WorkspaceError
from speechmill.core.files import sha256_file
from speechmill.pipeline.export.commit import CHECKSUMS, given_out
from speechmill.pipeline.export.marker import FileRecord, read_marker
from speechmill.store.blobs import Blobs, open_blobs
from speechmill.store.blobs.pointer import Pointer, open_pointer

INDEX = "index.json"
CONCURRENCY = 4  # files under way


class Version(Struct, frozen=True):
    """A version of an export that is whole."""

    name: str  # its folder
    dataset: str  # fingerprint of what it was made of
    segments: int
    files: int
    bytes: int


class Index(Struct, frozen=True):
    """`index.json`: what there is, the newest last."""

    versions: tuple[Version, ...] = ()

    @property
    def newest(self) -> Version | None:
        return self.versions[-1] if self.versions else None


class Sent(Struct, frozen=True):
    """What an upload did."""

    address: str
    sent: int  # files
    copied: int  # files, inside the store
    there: int  # files that an earlier try had brought


def upload(folder: Path, to: str, *, keep: int | None = None, patience_s: float = 60.0) -> Sent:
    """Send a finished export. keep: how many versions stay; None: all of them.

    Raises BlobError; then what was there is there still, and the same command goes on.
    """
    export = read_marker(folder)
    if export is None:
        raise WorkspaceError(
            f"{folder} is no finished export; make it first: speechmill export WORKSPACE {folder.name}"
        )
    address = f"{to.rstrip('/')}/{folder.name}"
    blobs, pointer = open_blobs(address, patience_s=patience_s), open_pointer(address, INDEX, patience_s=patience_s)
    blobs.check()
    files = [*(one for shard in export.shards for one in shard.files if given_out(one.path)), *export.files]
    files = [one for one in files if given_out(one.path) or one.path == CHECKSUMS]
    name = sha256_file(folder / CHECKSUMS)[:16]
    before = pointer.read()
    index = msgspec.json.decode(before.content, type=Index) if before is not None else Index()
    there = _there(blobs, index.newest) if index.newest is not None and index.newest.name != name else {}
    counts = _send(blobs, folder, name, files, there)
    version = Version(name, export.fingerprint, export.segments, len(files), sum(one.bytes for one in files))
    versions = (*(one for one in index.versions if one.name != name), version)
    stays = versions if keep is None else versions[-max(keep, 1) :]
    pointer.replace(msgspec.json.encode(Index(stays)), before)
    for old in versions[: len(versions) - len(stays)]:
        _remove(blobs, old.name)
    return Sent(f"{address}/{name}", *counts)


def read_uploaded(address: str) -> Index:
    """Return what an address holds: s3://bucket/prefix/<format>. Raises BlobError."""
    pointer: Pointer = open_pointer(address, INDEX)
    found = pointer.read()
    return msgspec.json.decode(found.content, type=Index) if found is not None else Index()


def _there(blobs: Blobs, version: Version) -> dict[str, str]:
    """Return the keys of a version's files by SHA-256; none where its list is gone: then all are sent."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / CHECKSUMS
        try:
            blobs.get(f"{version.name}/{CHECKSUMS}", path)
        except BlobError as error:
            if error.permanent:
                return {}
            raise
        lines = path.read_text(encoding="utf-8").splitlines()
    return {sha256: f"{version.name}/{name}" for sha256, _, name in (line.partition("  ") for line in lines)}


def _send(
    blobs: Blobs, folder: Path, name: str, files: Iterable[FileRecord], there: dict[str, str]
) -> tuple[int, int, int]:
    def bring(file: FileRecord) -> str:
        key = f"{name}/{file.path}"
        if file.sha256 in there and _copied(blobs, there[file.sha256], key):
            return "copied"
        return "sent" if blobs.put(folder / file.path, key, file.sha256) else "there"

    done = list(_mapped(bring, files))
    return done.count("sent"), done.count("copied"), done.count("there")


def _mapped(bring: Callable[[FileRecord], str], files: Iterable[FileRecord]) -> Iterable[str]:
    with ThreadPoolExecutor(CONCURRENCY) as pool:
        futures = [pool.submit(bring, file) for file in files]
        try:
            return [future.result() for future in futures]
        finally:
            for future in futures:  # after an error nothing more is begun
                future.cancel()


def _copied(blobs: Blobs, source: str, key: str) -> bool:
    """Copy inside the store; False where that can't be done, or is done: then the file is sent, or found there."""
    try:
        return blobs.copy(source, key)
    except BlobError as error:
        if error.permanent:
            return False
        raise


def _remove(blobs: Blobs, name: str) -> None:
    for blob in list(blobs.list(f"{name}/")):
        blobs.delete(blob.key)
