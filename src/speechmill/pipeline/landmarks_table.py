# SPDX-License-Identifier: Apache-2.0
"""`tables/landmarks-<fingerprint>.parquet`: what copies of each recording are known by, for `duplicates`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct

from speechmill.core.files import atomic
from speechmill.core.groups import in_groups
from speechmill.core.types import Source
from speechmill.formats.manifest import arrow_schema

if TYPE_CHECKING:
    from speechmill.store.ledger import Ledger

COLUMN = "landmarks"
_RECORDINGS_AT_ONCE = 128  # of an hour each: 50 MB


class LandmarksRow(Struct, frozen=True):
    """A row: a recording that the stage had a result for."""

    recording_id: str
    landmarks: bytes


def write_landmarks(path: Path, ledger: Ledger, stage: str, sources: Sequence[Source]) -> None:
    """Write the landmarks of all recordings, in their order. stage: the folder of its results in the ledger."""
    schema = arrow_schema(LandmarksRow)
    with (
        atomic(path) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd", use_dictionary=False) as out,
    ):
        for group in in_groups(sources, _RECORDINGS_AT_ONCE):
            ids, landmarks = [], []
            loaded = ledger.load(stage, {source.key for source in group}, (COLUMN,))
            for source in group:
                if source.alias_of is None and source.key in loaded:
                    ids.append(source.id)
                    landmarks.append(loaded[source.key][COLUMN])
            out.write_table(pa.table([pa.array(ids, pa.string()), pa.array(landmarks, pa.binary())], schema=schema))


def read_landmarks(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield recordings and their landmarks."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(1024, columns=["recording_id", COLUMN]):
            yield from zip(batch[0].to_pylist(), batch[1].to_pylist(), strict=True)
