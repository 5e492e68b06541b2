# SPDX-License-Identifier: Apache-2.0
"""WebDataset: tar archives with a sample's audio and what is known of it beside each other.

<split>-00000.tar holds <key>.flac and <key>.json for each segment; a key is the segment's id, without dots. Words and
phones count from the start of the clip; `start` plus a word's time is its place in the recording.

index-<split>.json lists the archives as wids wants it, which reads samples in any order: `wids.ShardListDataset` takes
its path. In WebDataset itself, name the archives.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from speechmill.core.stage import Context
from speechmill.core.timebase import ticks
from speechmill.core.types import Recording, Segment, Word
from speechmill.exporters import About, Shard, Written
from speechmill.exporters._attribution import rights_of
from speechmill.exporters._clips import Container, clips_of
from speechmill.exporters._kept import SAMPLING_RATE, language_of
from speechmill.exporters._lines import splits_of
from speechmill.exporters._tar import Tar, key_of

VERSION = "1"
REQUIRES = ()
UNIT = "hour"
USAGE = """\
import glob, io, json, soundfile, webdataset

archives = sorted(glob.glob("train-*.tar"))
dataset = webdataset.WebDataset(archives, shardshuffle=False).to_tuple("flac", "json")
for audio, about in dataset:
    samples, rate = soundfile.read(io.BytesIO(audio))
    print(json.loads(about)["text"])
"""


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """What may be chosen."""

    audio: Container = "flac"  # lossless at half of WAV's size
    max_shard_mb: int = 1000  # large enough to be read in a stream, small enough to be shuffled


class Backend:
    """Writes <shard>.tar, and index-<split>.json."""

    def __init__(self, config: Config, context: Context) -> None:
        self._config = config

    def shard(self, shard: Shard, folder: Path) -> int:
        """Write an archive. Returns its bytes."""
        path = folder / f"{shard.name}.tar"
        audio = self._config.audio
        with Tar(path) as tar:
            for row in shard.rows():
                with clips_of(shard.dataset, row.recording, row.segments) as cut:
                    for segment in row.segments:
                        key = key_of(segment.id)
                        tar.add(f"{key}.{audio}", cut.file(segment, audio))
                        about = _about(row.recording, segment, cut.num_samples(segment))
                        tar.add(f"{key}.json", msgspec.json.encode(about))
        return path.stat().st_size

    def index(self, shards: Sequence[Written], about: About, folder: Path) -> None:
        """List the archives of each split, and how many samples and bytes each has."""
        for split, held in splits_of(shards).items():
            listed = [{"url": f"{one.name}.tar", "nsamples": one.segments, "filesize": one.note} for one in held]
            content = {"__kind__": "wids-shard-index-v1", "wids_version": 1, "name": about.name, "shardlist": listed}
            path = folder / f"index-{split}.json"
            path.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")


def _about(recording: Recording, segment: Segment, num_samples: int) -> dict[str, Any]:
    rights = rights_of(recording)
    return {
        "id": segment.id,
        "recording": recording.id,
        "start": segment.start,
        "duration": num_samples / SAMPLING_RATE,
        "sampling_rate": SAMPLING_RATE,
        "text": segment.text,
        "language": language_of(recording, segment),
        "speaker": segment.speaker,
        "words": _timed(segment.words, segment.start),
        "phones": _timed(segment.phones, segment.start),
        "scores": segment.scores,
        "licence": rights.licence,
        "attribution": rights.attribution,
    }


def _timed(symbols: Sequence[Word], start: float) -> list[Word]:
    begins = ticks(np.array([one.start for one in symbols], np.float64) - start).tolist()
    return [Word(one.symbol, begin, one.duration, one.score) for one, begin in zip(symbols, begins, strict=True)]
