# SPDX-License-Identifier: Apache-2.0
"""Originals that lie in an object store are on this machine's disk only while they are decoded."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from speechmill.core.errors import AudioError, BlobError
from speechmill.core.types import Source


@contextlib.contextmanager
def at_hand(source: Source) -> Iterator[Path]:
    """Yield the path of a source's audio, fetched for as long as this lasts where it is elsewhere.

    Raises AudioError original-unavailable, which isn't permanent unless the object is gone.
    """
    path = Path(source.uri)
    if source.blob is None or path.exists():
        yield path
        return
    from speechmill.store.blobs import open_blobs

    address, _, key = source.blob.rpartition("/")
    try:
        open_blobs(address).get(key, path)
    except BlobError as error:
        raise AudioError("original-unavailable", str(error), permanent=error.permanent) from error
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
