# SPDX-License-Identifier: Apache-2.0
"""Writing one shard, in any process: its rows from the dataset, its files by the exporter, its record."""

from __future__ import annotations

import itertools
import os
from collections.abc import Collection, Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from speechmill import models
from speechmill.core.errors import AudioError, LostAudio, SpeechmillError
from speechmill.core.files import raise_fatal, sha256_file
from speechmill.core.registry import Choice
from speechmill.core.stage import Context
from speechmill.core.types import Recording, Segment
from speechmill.exporters import Row
from speechmill.pipeline.export.marker import FileRecord, ShardRecord
from speechmill.pipeline.export.membership import WHOLE, Member, Members
from speechmill.store.contents import HOUR_S
from speechmill.store.dataset import Dataset


class ExportFailed(SpeechmillError):
    """A shard could not be written."""


class DatasetShard:
    """What an exporter sees of a shard."""

    def __init__(self, members: Members, dataset: Dataset) -> None:
        self.name = members.name
        self.split = members.split
        self.dataset = dataset
        self.under_way: Recording | None = None  # what is being written, for errors
        self._members = members

    def rows(self) -> Iterator[Row]:
        """Yield recordings (or hours of them) with their kept segments, ordered by channel and start."""
        members = self._members.members
        recordings = self.dataset.recordings({member.unit[0] for member in members})
        wanted: dict[str, list[Member]] = {}
        for member in members:
            wanted.setdefault(member.unit[0], []).append(member)
        # One pass over the dataset: a row group holds segments of many recordings.
        segments = self.dataset.rows(_merged([one for member in members for one in member.ranges]))
        for recording_id, found in itertools.groupby(segments, key=lambda segment: segment.recording_id):
            self.under_way = recordings[recording_id]
            yield from _units(recordings[recording_id], list(found), wanted.pop(recording_id))
        if wanted:
            raise _changed(", ".join(list(wanted)[:5]))


def _units(recording: Recording, segments: list[Segment], members: list[Member]) -> Iterator[Row]:
    """Yield the units of one recording; what lies between their rows is of others."""
    for member in members:
        hour = member.unit[1]
        mine = segments if hour == WHOLE else [one for one in segments if int(one.start // HOUR_S) == hour]
        if len(mine) != member.segments:
            raise _changed(recording.id)
        yield Row(recording, mine)


def _changed(what: str) -> ExportFailed:
    return ExportFailed(f"segments of {what} are not those that the export was planned with; export again")


def _merged(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return ranges in rising order and apart: hours of two channels lie within each other."""
    merged: list[tuple[int, int]] = []
    for first, stop in sorted(ranges):
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((first, stop))
    return merged


class Job(Struct, frozen=True):
    """A shard to write."""

    members: Members
    digest: str
    folder: Path  # empty, and nobody else's
    speakers: str = "names"  # how they are named: see Dataset


def write_shard(root: Path, choice: Choice, job: Job) -> ShardRecord:
    """Write the files of a shard below its folder. root: the workspace.

    Raises LostAudio, an OSError of the disk, or ExportFailed, which names shard and recording.
    """
    members = job.members
    shard = DatasetShard(members, Dataset(root, job.speakers))
    try:
        backend = choice.module.Backend(choice.config, Context(root, models.path))
        note = backend.shard(shard, job.folder)
    except LostAudio:
        raise
    except Exception as error:
        raise_fatal(error)
        if (lost := _lost(root, shard.under_way, error)) is not None:
            raise lost from error
        recording = shard.under_way.id if shard.under_way is not None else "(none yet)"
        where = f"export {choice.backend}, shard {members.name}, recording {recording}"
        raise ExportFailed(f"{where}: {type(error).__name__}: {error}") from error
    return ShardRecord(
        members.name,
        members.split,
        job.digest,
        members.units,
        sum(member.segments for member in members.members),
        sum(member.seconds for member in members.members),
        tuple(file_records(job.folder)),
        msgspec.to_builtins(note),
    )


def _lost(root: Path, recording: Recording | None, error: Exception) -> LostAudio | None:
    """Return the error that a run mends, where an exporter met canonical audio that is gone or broken."""
    if recording is None or not isinstance(error, AudioError | FileNotFoundError):
        return None
    paths = [root / path for path in recording.audio]
    if gone := [path for path in paths if not path.exists()]:
        return LostAudio(gone[0], "canonical-audio-missing")
    named = [path for path in paths if str(path) in str(error)]
    broken = isinstance(error, AudioError) and error.reason != "no-samples"
    return LostAudio(named[0], str(error)) if named and broken else None


def file_records(folder: Path, without: Collection[str] = ()) -> list[FileRecord]:
    """Return every file below a folder, sorted by path; `without` those at some paths."""
    found = set(_names(str(folder), ""))
    return [file_record(folder, name) for name in sorted(found - set(without))]


def _names(folder: str, prefix: str) -> Iterator[str]:
    """Yield the paths of files below a folder, with "/"; pathlib takes longer for a small file than hashing it."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_file():
                yield prefix + entry.name
            elif entry.is_dir(follow_symlinks=False):
                yield from _names(entry.path, f"{prefix}{entry.name}/")


def file_record(folder: Path, name: str) -> FileRecord:
    """Return what there is to know of a file."""
    path = folder / name
    return FileRecord(name, path.stat().st_size, sha256_file(path))
