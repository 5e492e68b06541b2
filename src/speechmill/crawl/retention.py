# SPDX-License-Identifier: Apache-2.0
"""What is deleted on purpose: takedowns, originals that are FLAC by now, and objects that nobody knows.

The catalog always goes first: a crash in between leaves an object too many, which `sweep` finds, and never a row whose
object is gone. Objects of an s3 source that were only noted (`audio: reference`) are the operator's own, and none of
this touches them. A store of originals belongs to one catalog: what another one keeps there would be nobody's here.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from msgspec import Struct

from speechmill.core.errors import BlobError
from speechmill.store.blobs import Blob, Blobs, caption_key, original_key
from speechmill.store.blobs.keys import content_hash, is_unfinished
from speechmill.store.catalog import Catalog
from speechmill.store.takedowns import FOLDER, write_taken_down

PREFIXES = ("originals/", "captions/")
BATCH = 200_000  # objects that are compared with the catalog at once: 40 MB


class Gone(Struct, frozen=True):
    """What was deleted."""

    objects: int
    bytes: int | None = None  # of them; None where nobody asked the store
    copies: int = 0  # files in the workspace


def take_down(catalog: Catalog, blobs: Blobs, workspace: Path, platform: str, id: str, note: str, now: float) -> Gone:
    """Record that an item must not be used, and delete what only it needs. Fine for items that are not known.

    It holds from the first line on, for every later run and export: hand-over and dataset leave the item out. now:
    seconds since 1970. Raises BlobError where the store failed; the takedown holds, and `sweep` deletes the rest.
    """
    keys = catalog.take_down(platform, id, note, now)
    write_taken_down(workspace, [(one.platform, one.id) for one in catalog.takedowns()])
    ours = [key for key in keys if is_ours(key)]
    copies = sum(_remove_copies(workspace, sha256) for sha256 in filter(None, map(content_hash, ours)))
    return Gone(_delete(blobs, ours), copies=copies)


def retain(catalog: Catalog, blobs: Blobs, normalised: Collection[str]) -> Gone:
    """Delete originals whose canonical audio exists, for `retain: until-normalised`; they are not fetched again.

    normalised: SHA-256 of originals. Captions stay: they are small, and read again whenever transcripts are.
    """
    known = catalog.keys()
    keys = [key for key in known if is_ours(key, "originals/") and content_hash(key) in normalised]
    for key in keys:
        catalog.drop_asset(key)
    return Gone(_delete(blobs, keys))


def sweep(catalog: Catalog, blobs: Blobs, older_than_s: float, now: float) -> Gone:
    """Delete objects that no row refers to, and what puts left unfinished, once they are older than this.

    older_than_s: seconds; longer than a lease, so that what a crawl is storing right now is never too old. now: seconds
    since 1970. Only what is named as originals and captions are is looked at, so that a bucket may hold other things. A
    crawl that fetches, in the same moment, the very bytes of an old orphan could find it there and lose it again: sweep
    while none runs, where that can be had.
    """
    deleted = size = 0
    for batch in _batches(_old(blobs, now - older_than_s), BATCH):
        # The catalog is read after the listing: what was stored meanwhile is known to it.
        unknown = {blob.key: blob for blob in batch}
        known = catalog.keys()
        for key in known:
            unknown.pop(key, None)
        deleted += _delete(blobs, list(unknown))
        size += sum(blob.size for blob in unknown.values())
    return Gone(deleted, size)


def is_ours(key: str, *prefixes: str) -> bool:
    """Tell whether a key names an object that the crawler made, by the hash that it bears."""
    sha256 = content_hash(key)
    if sha256 is None or not key.startswith(prefixes or PREFIXES):
        return False
    return key in (caption_key(sha256), original_key(sha256, key.rpartition(".")[2]))


def _old(blobs: Blobs, before: float) -> Iterator[Blob]:
    """Yield objects of ours, and unfinished ones, that nobody has touched since."""
    for prefix in PREFIXES:
        for blob in itertools.chain(blobs.list(prefix), blobs.list(prefix, unfinished=True)):
            if blob.modified < before and (is_ours(blob.key) or is_unfinished(blob.key)):
                yield blob


def _batches(found: Iterable[Blob], size: int) -> Iterator[list[Blob]]:
    left = iter(found)
    while batch := list(itertools.islice(left, size)):
        yield batch


def _delete(blobs: Blobs, keys: Collection[str]) -> int:
    """Delete all that can be, then raise what the first of the others met."""
    failed: list[BlobError] = []
    for key in keys:
        try:
            blobs.delete(key)
        except BlobError as error:
            failed.append(error)
            if error.permanent:  # the store can't be used, whatever the key
                break
    if failed:
        raise failed[0]
    return len(keys)


def _remove_copies(workspace: Path, sha256: str) -> int:
    """Delete what the hand-over laid into the workspace of an original, or of captions, with this content."""
    crawled = workspace / FOLDER
    beside = crawled / "captions" / sha256[:16]  # where captions of this content lie, named by their audio
    files = {*crawled.glob(f"cache/{sha256}.*"), *crawled.glob(f"captions/*/{sha256}.*"), *beside.glob("*")}
    for path in files:
        path.unlink(missing_ok=True)
    return len(files)
