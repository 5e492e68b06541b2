# SPDX-License-Identifier: Apache-2.0
"""An export from beginning to end: what stays, what is written, what is said of the whole, and the swap."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from speechmill import models
from speechmill.core.files import digest
from speechmill.core.registry import Choice
from speechmill.core.stage import Context
from speechmill.exporters import About, Written
from speechmill.exporters._attribution import write_attribution
from speechmill.exporters._kept import score_names
from speechmill.pipeline import card
from speechmill.pipeline.export import commit
from speechmill.pipeline.export.crew import write_all
from speechmill.pipeline.export.limits import limits_of
from speechmill.pipeline.export.marker import Export, FileRecord, ShardRecord, read_marker, write_marker
from speechmill.pipeline.export.membership import Members, assign, members_of
from speechmill.pipeline.export.partial import Partial
from speechmill.pipeline.export.shards import Job, file_record, file_records
from speechmill.pipeline.plan import choice_identity
from speechmill.pipeline.versions import Shelf
from speechmill.store.contents import read_contents
from speechmill.store.dataset import Dataset
from speechmill.store.pseudonyms import naming
from speechmill.store.takedowns import taken_down
from speechmill.store.workspace import Workspace

VERSION = "1"  # raise it when the same shards are written otherwise by this engine

Note = Callable[[str], None]


class Made(Struct, frozen=True):
    """What an export did."""

    export: Export
    written: int  # shards that were written now
    kept: int  # shards whose files stayed as they were


class Order(Struct, frozen=True):
    """What is asked for."""

    choice: Choice
    name: str  # of the corpus
    fingerprint: str = ""
    table: str = ""
    decisions: str = ""
    speakers: str = "names"
    workers: int = 1
    fresh: bool = False  # pack everything anew


class Todo(Struct, frozen=True):
    """What an export is going to be made of."""

    identity: str
    shards: tuple[Members, ...]
    numbers: dict[str, int]
    packing: str


def make(root: Path, folder: Path, order: Order) -> Made:
    """Make an export in a folder, from the dataset of a workspace; of what is there, what still holds stays.

    Raises LostAudio, ExportFailed, and an OSError of a disk that is full: then what was there is there still, and the
    shards that are finished wait beside it for the next try.
    """
    commit.recover(folder.parent)
    dataset = Dataset(root, order.speakers)
    before = read_marker(folder)
    todo = _todo(dataset, order, before)
    partial = Partial(folder.parent, folder.name)
    partial.tidy()
    stays = _staying(folder, todo, before)
    records = {**stays, **_written(root, order, todo, partial, stays)}
    whole = partial.whole()
    for members in todo.shards:
        record = records[members.name]
        source = folder if members.name in stays else partial.files(record.digest)
        commit.place(source, whole, record.files)
    shards = [records[members.name] for members in todo.shards]
    files = _describe(dataset, order, shards, whole)
    segments = sum(shard.segments for shard in shards)
    export = Export(
        order.fingerprint,
        order.table,
        order.decisions,
        segments,
        todo.packing,
        todo.numbers,
        tuple(shards),
        tuple(files),
    )
    commit.settle(whole, [*files, *(file for shard in shards for file in shard.files)])
    write_marker(whole, export)
    commit.swap(whole, folder)
    partial.remove()
    return Made(export, len(shards) - len(stays), len(stays))


def _todo(dataset: Dataset, order: Order, before: Export | None) -> Todo:
    choice = order.choice
    unit = getattr(choice.module, "UNIT", "hour")
    limits = limits_of(choice)
    packing = digest(unit, msgspec.json.encode(limits))[:16]
    names = naming(dataset.root, order.speakers)
    identity = msgspec.json.encode([VERSION, choice_identity(choice), score_names(dataset), names])
    stable = before if before is not None and before.packing == packing and not order.fresh else None
    members = members_of(read_contents(dataset.root / "dataset"), unit, taken_down(dataset.root))
    shards, numbers = assign(members, stable, limits)
    return Todo(digest(identity)[:32], tuple(shards), numbers, packing)


def _staying(folder: Path, todo: Todo, before: Export | None) -> dict[str, ShardRecord]:
    """Return the shards that are as they have to be, by name."""
    there = {shard.name: shard for shard in before.shards} if before is not None else {}
    stay = {}
    for members in todo.shards:
        shard = there.get(members.name)
        if shard is not None and shard.digest == members.digest(todo.identity) and commit.intact(folder, shard):
            stay[shard.name] = shard
    return stay


def _written(root: Path, order: Order, todo: Todo, partial: Partial, stays: Iterable[str]) -> dict[str, ShardRecord]:
    """Write the other shards, or take them up where an earlier try has finished them."""
    records, jobs = {}, []
    for members in todo.shards:
        if members.name in stays:
            continue
        wanted = members.digest(todo.identity)
        if (record := partial.found(wanted)) is not None:
            records[members.name] = record
        else:
            jobs.append((members, wanted))
    workers = min(order.workers, len(jobs))
    some = (Job(members, wanted, partial.begin(), order.speakers) for members, wanted in jobs)
    for job, record in write_all(root, order.choice, some, max(workers, 1)):
        partial.finish(job.folder, record)
        records[record.name] = record
    return records


def _describe(dataset: Dataset, order: Order, shards: Sequence[ShardRecord], whole: Path) -> list[FileRecord]:
    """Write what is of the whole export. Returns its files."""
    ids = {recording for shard in shards for recording in shard.recordings}
    about = About(order.name, tuple(score_names(dataset)), dataset.recordings(ids))
    backend = order.choice.module.Backend(order.choice.config, Context(dataset.root, models.path))
    parts = [written(shard) for shard in shards]
    backend.index(parts, about, whole)
    write_readme(whole, dataset.root, order.choice, parts)
    write_attribution(whole, about.recordings.values())
    of_shards = {file.path for shard in shards for file in shard.files}
    files = file_records(whole, of_shards)
    commit.write_checksums(whole, [*files, *(file for shard in shards for file in shard.files)])
    return [*files, file_record(whole, commit.CHECKSUMS)]


def written(shard: ShardRecord) -> Written:
    """Return a shard as exporters see it."""
    paths = tuple(file.path for file in shard.files)
    return Written(shard.name, shard.split, shard.segments, shard.seconds, shard.recordings, paths, shard.note)


def write_readme(folder: Path, root: Path, choice: Choice, shards: Sequence[Written]) -> None:
    """Write README.md: the dataset's card and how this format is opened."""
    workspace = Workspace(root)
    version = Shelf(workspace).newest()
    if version is not None:  # a dataset that no command finished has none, and nothing is known of how it was made
        usage = getattr(choice.module, "USAGE", "")
        card.write_export_card(folder, card.facts_of(workspace, version), shards, usage, commit.CHECKSUMS)
