# SPDX-License-Identifier: Apache-2.0
"""Objects by key: a local folder, or an S3-compatible store. What is put is whole or absent, and never overwritten."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from msgspec import Struct


class Blob(Struct, frozen=True):
    """An object as a listing shows it."""

    key: str
    size: int
    modified: float  # seconds since 1970
    etag: str | None = None


class Blobs(Protocol):
    """A store of immutable objects. What fails is a BlobError; its `permanent` is False where a retry may help."""

    address: str  # what `open_blobs` was given, without credentials

    def put(self, path: Path, key: str, sha256: str) -> bool:
        """Store a file under a key. False where the key is there already, which is fine: keys are content hashes.

        Create-only (S3: If-None-Match) and checked: what arrived has this SHA-256.
        """
        ...

    def get(self, key: str, path: Path) -> None:
        """Copy an object into a file, atomically. Raises BlobError."""
        ...

    def exists(self, key: str) -> bool: ...

    def delete(self, key: str) -> None:
        """Delete an object; none there is fine."""
        ...

    def list(self, prefix: str = "") -> Iterator[Blob]:
        """Yield objects sorted by key."""
        ...

    def local_path(self, key: str) -> Path | None:
        """Where an object lies as a file on this machine; None where it doesn't."""
        ...

    def url(self, key: str) -> str:
        """The address of one object: s3://bucket/prefix/key, or a path."""
        ...


def open_blobs(address: str) -> Blobs:
    """Open a folder or s3://bucket/prefix (gs:// and az:// by the same library, untested).

    Credentials and endpoint come from the environment (AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL, ...). Raises ConfigError,
    MissingDependency.
    """
    raise NotImplementedError


def original_key(sha256: str, extension: str) -> str:
    """Name an original by its content.

    >>> original_key("abcd" * 16, "m4a")[:14]
    'originals/ab/a'
    """
    return f"originals/{sha256[:2]}/{sha256}.{extension}"


def caption_key(sha256: str) -> str:
    """Name captions by their content."""
    return f"captions/{sha256[:2]}/{sha256}.vtt"
