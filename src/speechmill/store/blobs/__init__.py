# SPDX-License-Identifier: Apache-2.0
"""Objects by key: a local folder, or an S3-compatible store. What is put is whole or absent, and never overwritten.

`folder` and `objects` are the two stores; `remote` is the way to object stores, with their errors in our words.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from speechmill.core.errors import ConfigError, MissingDependency
from speechmill.store.blobs.keys import Blob, caption_key, original_key

__all__ = ["SCHEMES", "Blob", "Blobs", "caption_key", "open_blobs", "original_key"]

SCHEMES = ("s3", "gs", "az")


class Blobs(Protocol):
    """A store of immutable objects. What fails is a BlobError; its `permanent` is False where a retry may help.

    A full disk is none: that OSError passes through, for no other object can be stored either.
    """

    address: str  # what `open_blobs` was given, without credentials

    def check(self) -> None:
        """Find out now whether the store can be used. Raises ConfigError, or BlobError where it does not answer."""
        ...

    def put(self, path: Path, key: str, sha256: str) -> bool:
        """Store a file under a key. False where the key is there already, which is fine: keys are content hashes.

        Create-only (S3: If-None-Match) and checked: what arrived has this SHA-256, and so has what was there.
        """
        ...

    def copy(self, source: str, key: str) -> bool:
        """Give the content of an object another key too, inside the store. False where that key is there already.

        Raises BlobError, a permanent one where there is no such object.
        """
        ...

    def get(self, key: str, path: Path) -> None:
        """Copy an object into a file, atomically. Raises BlobError, also where it isn't what its key says."""
        ...

    def exists(self, key: str) -> bool: ...

    def delete(self, key: str) -> None:
        """Delete an object; none there is fine."""
        ...

    def list(self, prefix: str = "", *, unfinished: bool = False) -> Iterator[Blob]:
        """Yield objects sorted by key. unfinished: instead, what puts have left behind that a crash cut short."""
        ...

    def local_path(self, key: str) -> Path | None:
        """Where an object lies as a file on this machine; None where it doesn't."""
        ...

    def url(self, key: str) -> str:
        """The address of one object: s3://bucket/prefix/key, or a path."""
        ...


def open_blobs(address: str, *, patience_s: float = 60.0) -> Blobs:
    """Open a folder or s3://bucket/prefix (gs:// and az:// by the same library, untested).

    Nothing is asked of the store yet. Credentials and endpoint come from the environment (AWS_ACCESS_KEY_ID,
    AWS_ENDPOINT_URL, ...). patience_s: seconds for which a store that fails is asked again before that is an error.
    Raises ConfigError, MissingDependency.
    """
    scheme, separator, _ = address.partition("://")
    if not separator:
        from speechmill.store.blobs.folder import FolderBlobs

        return FolderBlobs(Path(address))
    if scheme not in SCHEMES:
        raise ConfigError(f"no store is known for {scheme}://; give a folder, or s3://bucket/prefix")
    try:
        importlib.metadata.version("obstore")
    except importlib.metadata.PackageNotFoundError:
        raise MissingDependency(f"{scheme}:// needs obstore: pip install 'speechmill[s3]'") from None
    from speechmill.store.blobs.objects import ObjectBlobs

    return ObjectBlobs(address, patience_s)
