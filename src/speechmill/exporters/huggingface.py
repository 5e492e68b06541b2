# SPDX-License-Identifier: Apache-2.0
"""A Hugging Face dataset: Parquet shards with FLAC inside, and a card.

`datasets.load_dataset(folder)` opens it, audio decoded: the features stand in each shard's schema. Written with
pyarrow, without `datasets`. Words and phones count from the start of the clip, which is what a row holds; `start` plus
a word's time is its place in the recording. Each score is a column `score_<name>`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct

from speechmill.core.stage import Context
from speechmill.core.timebase import shift
from speechmill.core.types import Recording, Segment, Word
from speechmill.exporters._attribution import rights_of, write_attribution
from speechmill.exporters._clips import clip, encode
from speechmill.exporters._huggingface_card import Summary, write_card
from speechmill.exporters._kept import SAMPLING_RATE, by_recording, language_of, score_names
from speechmill.formats.manifest import arrow_type
from speechmill.store.dataset import Dataset

VERSION = "1"
REQUIRES = ()

_AUDIO = pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())])
_TIMED = arrow_type(tuple[Word, ...])
# Columns with few values; a dictionary of audio would only double the memory.
_REPEATED = ["recording_id", "language", "speaker", "licence", "attribution"]
_MEGABYTE = 1_000_000


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """What may be chosen."""

    max_shard_mb: int = 500  # what the Hub advises: small enough to retry, large enough to be few
    max_shard_rows: int = 100_000  # bounds a shard of very short clips
    max_group_rows: int = 100  # a reader fetches a whole row group for one row
    max_group_mb: int = 32  # audio in memory while writing, and what a reader must fetch


class Backend:
    """Writes data/train-*.parquet, README.md and ATTRIBUTION.tsv."""

    def __init__(self, config: Config, context: Context) -> None:
        self._config = config

    def export(self, dataset: Dataset, folder: Path) -> int:
        """Write the kept segments. Returns how many there are."""
        names = score_names(dataset)
        summary = Summary()
        shards = _Shards(folder / "data", _schema(names), self._config)
        try:
            for row in _rows(dataset, names, summary):
                shards.add(row)
            shards.finish()
        finally:
            shards.close()
        write_card(folder, summary)
        write_attribution(folder, summary.recordings())
        return summary.num_segments


def _rows(dataset: Dataset, names: list[str], summary: Summary) -> Iterator[dict[str, Any]]:
    for recording, segments in by_recording(dataset):
        for segment in segments:
            summary.add(recording, segment)
            yield _row(dataset, recording, segment, names)


def _row(dataset: Dataset, recording: Recording, segment: Segment, names: list[str]) -> dict[str, Any]:
    samples = clip(dataset, recording, segment)
    rights = rights_of(recording)
    return {
        "id": segment.id,
        "audio": {"bytes": encode(samples, "flac"), "path": f"{segment.id}.flac"},
        "text": segment.text,
        "language": language_of(recording, segment),
        "speaker": segment.speaker,
        "recording_id": recording.id,
        "start": segment.start,
        "duration": len(samples) / SAMPLING_RATE,
        "words": _from_clip_start(segment.words, segment.start),
        "phones": _from_clip_start(segment.phones, segment.start),
        **{f"score_{name}": segment.scores.get(name) for name in names},
        "licence": rights.licence,
        "attribution": rights.attribution,
    }


def _from_clip_start(symbols: tuple[Word, ...], start: float) -> Any:
    return msgspec.to_builtins([shift(symbol, -start) for symbol in symbols])


def _schema(names: list[str]) -> pa.Schema:
    """Return the schema of a shard, with the features that `datasets` reads from its metadata."""
    types = {
        "id": pa.string(),
        "audio": _AUDIO,
        "text": pa.string(),
        "language": pa.string(),
        "speaker": pa.string(),
        "recording_id": pa.string(),
        "start": pa.float64(),
        "duration": pa.float64(),
        "words": _TIMED,
        "phones": _TIMED,
        **{f"score_{name}": pa.float64() for name in names},
        "licence": pa.string(),
        "attribution": pa.string(),
    }
    features = {name: _feature(kind) for name, kind in types.items() if name != "audio"}
    features["audio"] = {"sampling_rate": SAMPLING_RATE, "_type": "Audio"}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    return pa.schema(list(types.items()), metadata=metadata)


def _feature(kind: pa.DataType) -> Any:
    """Return an Arrow type as `datasets` writes it in JSON; a list is a list of one, which versions 3 to 5 read."""
    if pa.types.is_list(kind):
        return [_feature(kind.value_type)]
    if pa.types.is_struct(kind):
        return {field.name: _feature(field.type) for field in kind}
    return {"dtype": {pa.string(): "string", pa.float64(): "float64"}[kind], "_type": "Value"}


class _Shards:
    """Parquet files that are filled one after another; named at the end, when their number is known."""

    def __init__(self, folder: Path, schema: pa.Schema, config: Config) -> None:
        folder.mkdir()
        self._folder = folder
        self._schema = schema
        self._config = config
        self._paths: list[Path] = []
        self._rows: list[dict[str, Any]] = []
        self._group_bytes = 0
        self._shard_rows = 0
        self._shard_bytes = 0
        self._writer = self._open()

    def add(self, row: dict[str, Any]) -> None:
        """Take a row; what is full is written."""
        self._rows.append(row)
        self._group_bytes += len(row["audio"]["bytes"])
        full = self._group_bytes >= self._config.max_group_mb * _MEGABYTE
        if full or len(self._rows) >= self._config.max_group_rows or self._shard_is_full():
            self._flush()
        if self._shard_is_full():
            self._writer.close()
            self._writer = self._open()

    def close(self) -> None:
        """Close the file that is open, if one is."""
        self._writer.close()

    def finish(self) -> None:
        """Write what is left and name the shards; an empty one stays only where there is no other."""
        self._flush()
        self.close()
        if not self._shard_rows and len(self._paths) > 1:
            self._paths.pop().unlink()
        for index, path in enumerate(self._paths):
            path.rename(self._folder / f"train-{index:05d}-of-{len(self._paths):05d}.parquet")

    def _shard_is_full(self) -> bool:
        num_rows = self._shard_rows + len(self._rows)
        num_bytes = self._shard_bytes + self._group_bytes
        return num_rows >= self._config.max_shard_rows or num_bytes >= self._config.max_shard_mb * _MEGABYTE

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
        self._shard_rows += len(self._rows)
        self._shard_bytes += self._group_bytes
        self._rows, self._group_bytes = [], 0

    def _open(self) -> pq.ParquetWriter:
        self._shard_rows = self._shard_bytes = 0
        self._paths.append(self._folder / f"train-{len(self._paths):05d}.parquet")
        return pq.ParquetWriter(self._paths[-1], self._schema, compression="zstd", use_dictionary=_REPEATED)
