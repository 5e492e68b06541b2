# SPDX-License-Identifier: Apache-2.0
"""A Hugging Face dataset: Parquet shards with the audio inside. The card beside them lists the splits.

`datasets.load_dataset(folder)` opens it, audio decoded: the features stand in each shard's schema. Written with
pyarrow, without `datasets`. Words and phones count from the start of the clip, which is what a row holds; `start` plus
a word's time is its place in the recording. Each score is a column `score_<name>`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from msgspec import Struct

from speechmill.core.stage import Context
from speechmill.exporters import About, Shard, Written
from speechmill.exporters._clips import Container, clips_of
from speechmill.exporters._huggingface_rows import AUDIO_LEAF, REPEATED, Clip, leaves, schema_of, table_of
from speechmill.exporters._kept import SAMPLING_RATE, score_names

VERSION = "2"
REQUIRES = ()
UNIT = "hour"
USAGE = """\
import datasets

dataset = datasets.load_dataset("PATH", split="train", streaming=True)
print(next(iter(dataset))["text"])
"""

_MEGABYTE = 1_000_000


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """What may be chosen."""

    audio: Container = "flac"  # lossless at half of WAV's size
    max_shard_mb: int = 500  # what the Hub advises: small enough to retry, large enough to be few
    max_shard_rows: int = 100_000  # bounds a shard of very short clips
    max_group_rows: int = 100  # a reader fetches a whole row group for one row
    max_group_mb: int = 32  # audio in memory while writing, and what a reader must fetch


class Backend:
    """Writes data/<shard>.parquet."""

    def __init__(self, config: Config, context: Context) -> None:
        self._config = config

    def shard(self, shard: Shard, folder: Path) -> None:
        """Write one Parquet file."""
        names = score_names(shard.dataset)
        schema = schema_of(names, self._config.audio)
        with _writer(folder / "data" / f"{shard.name}.parquet", schema) as writer:
            for group in _groups(self._clips(shard), self._config):
                writer.write_table(table_of(group, schema, names))

    def index(self, shards: Sequence[Written], about: About, folder: Path) -> None:
        """Where there are no segments, write a shard without rows: readers refuse a split of no files."""
        if not shards:
            with _writer(folder / "data" / "train-none.parquet", schema_of(about.scores, self._config.audio)):
                pass

    def _clips(self, shard: Shard) -> Iterator[Clip]:
        for recording, segments in shard.rows():
            with clips_of(shard.dataset, recording, segments) as cut:
                for segment in segments:
                    content = cut.file(segment, self._config.audio)
                    yield Clip(recording, segment, content, cut.num_samples(segment) / SAMPLING_RATE)


def _groups(clips: Iterator[Clip], config: Config) -> Iterator[list[Clip]]:
    """Yield what goes into one row group."""
    group: list[Clip] = []
    num_bytes = 0
    for one in clips:
        group.append(one)
        num_bytes += len(one.content)
        if len(group) >= config.max_group_rows or num_bytes >= config.max_group_mb * _MEGABYTE:
            yield group
            group, num_bytes = [], 0
    if group:
        yield group


def _writer(path: Path, schema: Any) -> pq.ParquetWriter:
    path.parent.mkdir(exist_ok=True)
    # What is encoded already doesn't become smaller, and its least and greatest tell nothing.
    plain = [name for name in schema.names if name != "audio"]
    codecs = {leaf: "zstd" for leaf in leaves(schema) if leaf != AUDIO_LEAF} | {AUDIO_LEAF: "none"}
    return pq.ParquetWriter(path, schema, compression=codecs, use_dictionary=REPEATED, write_statistics=plain)
