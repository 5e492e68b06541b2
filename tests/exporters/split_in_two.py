# SPDX-License-Identifier: Apache-2.0
"""An export without the engine: shards of one recording each, written apart and then indexed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from speechmill.core.stage import Context
from speechmill.core.types import Recording, Segment
from speechmill.exporters import About, Row, Written
from speechmill.store.dataset import Dataset


class OneShard(msgspec.Struct, frozen=True):
    name: str
    split: str
    dataset: Dataset
    held: tuple[Row, ...]

    def rows(self) -> Iterator[Row]:
        yield from self.held


def exported(
    module: Any, config: Any, dataset: Dataset, folder: Path, splits: Mapping[str, str] = {}, fewest: int = 1
) -> list[Written]:
    """Export a dataset; each recording is of the split that `splits` says, or of train, `fewest` to a shard."""
    kept: dict[str, list[Segment]] = {}
    for segment in dataset.segments():
        kept.setdefault(segment.recording_id, []).append(segment)
    recordings = dataset.recordings()
    held: dict[str, list[Row]] = {}
    for name, segments in kept.items():
        held.setdefault(splits.get(name, "train"), []).append(Row(recordings[name], tuple(segments)))
    backend = module.Backend(config, Context(dataset.root, lambda name: Path(name)))
    written = []
    for split in sorted(held):
        for number, start in enumerate(range(0, len(held[split]), fewest)):
            rows = tuple(held[split][start : start + fewest])
            written.append(_written(backend, OneShard(f"{split}-{number:05d}", split, dataset, rows), folder))
    backend.index(written, _about(recordings, kept), folder)
    return written


def _written(backend: Any, shard: OneShard, folder: Path) -> Written:
    """Write a shard into a folder of its own, as the engine does, and move its files into the export."""
    alone = folder.with_name(f"{folder.name}-{shard.name}")
    alone.mkdir(parents=True)
    note = msgspec.json.decode(msgspec.json.encode(backend.shard(shard, alone)))
    files = sorted(path.relative_to(alone).as_posix() for path in alone.rglob("*") if path.is_file())
    for file in files:
        assert not (folder / file).exists(), f"{file} is another shard's too"
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (alone / file).rename(folder / file)
    shutil.rmtree(alone)
    segments = [segment for row in shard.held for segment in row.segments]
    seconds = sum(segment.duration for segment in segments)
    ids = tuple(row.recording.id for row in shard.held)
    return Written(shard.name, shard.split, len(segments), seconds, ids, tuple(files), note)


def _about(recordings: Mapping[str, Recording], kept: Mapping[str, object]) -> About:
    return About("podcasts", ("snr_db", "dnsmos"), {name: one for name, one in recordings.items() if name in kept})
