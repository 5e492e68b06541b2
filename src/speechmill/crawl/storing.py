# SPDX-License-Identifier: Apache-2.0
"""What a visit brought becomes objects and rows, in an order that a crash at any point leaves mendable.

Intention -> object -> asset row and job done, in one transaction. A crash before the last leaves an object that the
intention names; the next visit of the item either uses it or is told that nobody does, and deletes it.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from speechmill.core.remote import Asset, Caption, CaptionAsset, Fetched
from speechmill.crawl.workers import Answer
from speechmill.store.blobs import Blobs, caption_key, original_key
from speechmill.store.catalog import Catalog, Job, Stored


class Storing:
    """Keeps what visits bring. Every method blocks and may be called by several threads at once."""

    def __init__(self, catalog: Catalog, blobs: Blobs, owner: str, folder: Path) -> None:
        """folder: of this owner, for captions on their way."""
        self._catalog = catalog
        self._blobs = blobs
        self._owner = owner
        self._folder = folder

    def keep(self, job: Job, answer: Answer, now: Callable[[], float] = time.time) -> Stored:
        """Store an item that was accepted and fetched. The temporary file stays: it is the caller's.

        Raises LeaseLost, where somebody else has it by now; WorkspaceError, BlobError where a store stays away.
        """
        if answer.description is None or answer.decision is None or answer.fetched is None:
            raise ValueError(f"item {job.item} was not fetched")
        description, decision = answer.description, answer.decision
        self._catalog.described(self._owner, job.item, description, decision, now())
        captions = tuple(self._caption(job, caption) for caption in answer.captions)
        asset = self._original(job, answer.fetched, answer)
        for key in self._catalog.stored(self._owner, job.item, asset, captions, now()):
            self._blobs.delete(key)
        return Stored(job.item, job.query, description, asset, captions)

    def _original(self, job: Job, fetched: Fetched, answer: Answer) -> Asset:
        """Store the media, unless it stays where it is: then its key is its whole address."""
        key = answer.reference or original_key(fetched.sha256, fetched.extension)
        if answer.reference is None:
            self._put(job, fetched.path, key, fetched.sha256)
        return Asset(key, fetched.sha256, fetched.size, fetched.extension, answer.duration)

    def _caption(self, job: Job, caption: Caption) -> CaptionAsset:
        sha256 = hashlib.sha256(caption.content).hexdigest()
        key = caption_key(sha256)
        path = self._folder / f"{uuid.uuid4().hex}.vtt"
        path.write_bytes(caption.content)
        try:
            self._put(job, path, key, sha256)
        finally:
            path.unlink(missing_ok=True)
        return CaptionAsset(key, sha256, caption.language, caption.kind)

    def _put(self, job: Job, path: Path, key: str, sha256: str) -> None:
        self._catalog.intend(self._owner, job.item, key)
        self._blobs.put(path, key, sha256)
