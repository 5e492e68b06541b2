# SPDX-License-Identifier: Apache-2.0
"""What must be true of a crawl that has ended, whatever happened to it on the way."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

from sqlalchemy import func, select
from tests.system.projects import Project

from speechmill.core.files import TEMPORARY
from speechmill.core.registry import Choice
from speechmill.crawl.retention import sweep
from speechmill.pipeline.batches import read_batch
from speechmill.store.blobs import Blobs
from speechmill.store.catalog import Catalog, Stored
from speechmill.store.catalog.schema import intents
from speechmill.store.takedowns import crawled_id


def is_licensed(video: str) -> bool:
    """Whether the replica gives a video under CC BY: those with even numbers."""
    return int(video[1:]) % 2 == 0


def check_whole(project: Project, videos: set[str]) -> None:
    """See that a crawl has what it should have of these videos, once, and nothing else anywhere."""
    with project.catalog() as catalog:
        check_items(project, catalog, videos)
        check_objects(project, catalog)
        stored = catalog.hand_over(project.queries)
        check_content(project, stored)
    check_batch(project, stored)
    check_left_overs(project)


def check_items(project: Project, catalog: Catalog, videos: set[str]) -> None:
    """Nothing is lost, doubled or left to somebody."""
    stored = [one.description.id for one in catalog.hand_over(project.queries)]
    assert len(stored) == len(set(stored)), "an item twice"
    assert set(stored) == {video for video in videos if is_licensed(video)}
    held = [description.id for _item, _query, description in catalog.undecided(project.queries, ["hold"])]
    assert sorted(held) == sorted(video for video in videos if not is_licensed(video))
    counts = catalog.counts(project.queries)
    assert counts.items == {"held": len(held), "stored": len(stored)}
    assert set(counts.jobs) == {"done"}, counts.jobs


def check_objects(project: Project, catalog: Catalog) -> None:
    """Every object is some row's, and every row's is there."""
    with catalog._database.once_read() as connection:
        assert connection.scalar(select(func.count()).select_from(intents)) == 0
    there = [blob.key for blob in project.blobs().list()]
    assert there == sorted(set(there))
    assert set(there) == set(catalog.keys())


def check_content(project: Project, stored: list[Stored]) -> None:
    """Every object is what its platform has, and what its name says."""
    blobs = project.blobs()
    for one in stored:
        original = hashlib.sha256(project.replica.media(one.description.id)).hexdigest()
        assert one.asset.sha256 == original
        assert sha256_of(blobs, one.asset.key, project.folder) == original
        for caption in one.captions:
            assert sha256_of(blobs, caption.key, project.folder) == caption.sha256
        wanted = {(track.language, track.kind) for track in one.description.tracks if track.kind == "manual"}
        assert {(caption.language, caption.kind) for caption in one.captions} == wanted


def sha256_of(blobs: Blobs, key: str, folder: Path) -> str:
    """Read an object back."""
    path = folder / "read-back"
    blobs.get(key, path)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    path.unlink()
    return found


def check_batch(project: Project, stored: list[Stored]) -> None:
    """The next run of the pipeline is handed all of it."""
    (choice,) = project.corpus.sources
    assert isinstance(choice, Choice)
    rows = {row.id: row for row in read_batch(project.workspace, choice)}
    assert sorted(rows) == sorted(crawled_id("youtube", one.description.id) for one in stored)
    for one in stored:
        row = rows[crawled_id("youtube", one.description.id)]
        assert row.sha256 == one.asset.sha256
        assert row.rights.state == "cc-by"
        assert row.rights.title == one.description.title
        assert len(row.sidecars) == len(one.captions)
        assert all(Path(sidecar).is_file() for sidecar in row.sidecars)


def check_left_overs(project: Project) -> None:
    """Nothing that was on its way is left, but for unfinished files of killed writers, which are named as such."""
    assert [path.name for path in (project.workspace / "crawl" / "tmp").iterdir()] == []
    project.start(command=("gc",), target=project.workspace).wait()
    assert sorted(project.workspace.rglob(f"{TEMPORARY}*")) == []
    with project.catalog() as catalog:
        sweep(catalog, project.blobs(), 0.0, time.time() + 1.0)
        check_objects(project, catalog)
    assert list(project.blobs().list(unfinished=True)) == []


def check_every_row_has_its_object(project: Project) -> None:
    """In the middle of a crawl too: what is called stored is there."""
    with project.catalog() as catalog:
        keys = {one.asset.key for one in catalog.hand_over(project.queries)}
    assert keys <= {blob.key for blob in project.blobs().list()}


def listed(channels: int, per_channel: int) -> set[str]:
    """Return every video that a replica without faults lists."""
    return {f"v{channel * 1000 + index:010d}" for channel in range(channels) for index in range(per_channel)}
