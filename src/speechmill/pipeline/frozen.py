# SPDX-License-Identifier: Apache-2.0
"""What a run has frozen, runs/<id>/sources.parquet and shards.parquet; and the share of it that some shards need.

Both are written in row groups, so that a task on one shard reads some thousand rows, however large the corpus is.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct

from speechmill.core.errors import ConfigError, FormatError
from speechmill.core.files import atomic
from speechmill.core.groups import in_groups
from speechmill.core.types import Source
from speechmill.formats.manifest import arrow_schema, check_version, read_rows, reading, table_of
from speechmill.pipeline.packed import Packed, stream_rows
from speechmill.pipeline.pending import Member

ROWS = 2048  # of a row group

T = TypeVar("T", bound=Struct)


def write_frozen(folder: Path, sources: Sequence[Source], members: Sequence[Member]) -> None:
    """Write the batch manifest and the shards of a run."""
    _write(folder / "sources.parquet", sources, Source)
    _write(folder / "shards.parquet", members, Member)


def read_frozen(folder: Path) -> tuple[Packed[Source], Packed[Member]]:
    """Read all of it."""
    sources, members = folder / "sources.parquet", folder / "shards.parquet"
    return Packed(stream_rows(sources, Source), Source), Packed(stream_rows(members, Member), Member)


def read_shards(folder: Path, shards: Collection[str]) -> tuple[list[Source], list[Member]]:
    """Read some shards' members and their sources. Raises ConfigError where a shard is not there."""
    members = _members(folder / "shards.parquet", shards)
    if unknown := sorted(set(shards) - {member.shard for member in members}):
        last = _last_shard(folder / "shards.parquet")
        raise ConfigError(f"{folder} has no shard {int(unknown[0])}; there are 0 to {last}")
    rows = [member.row for member in members]
    if -1 in rows:  # planned before members knew their rows
        keys = {member.key for member in members}
        return [source for source in read_rows(folder / "sources.parquet", Source) if source.key in keys], members
    return _rows(folder / "sources.parquet", rows), members


def _members(path: Path, shards: Collection[str]) -> list[Member]:
    found: list[Member] = []
    with reading(path), pq.ParquetFile(path) as file:
        check_version(path, file.schema_arrow)
        for group, (first, last) in enumerate(_bounds(file)):
            if any(first <= shard <= last for shard in shards):
                table = file.read_row_group(group)
                here = [row for row, shard in enumerate(table["shard"].to_pylist()) if shard in shards]
                found += _converted(table.take(pa.array(here, pa.int64())), Member)
    return found


def _bounds(file: pq.ParquetFile) -> list[tuple[str, str]]:
    """Return the first and the last shard of each row group, of which the file's foot tells."""
    groups = [file.metadata.row_group(number).column(0) for number in range(file.num_row_groups)]
    named = all(group.path_in_schema == "shard" and group.is_stats_set for group in groups)
    bounds = [(group.statistics.min, group.statistics.max) for group in groups] if named else []
    if not named or not all(isinstance(one, str) for both in bounds for one in both):
        raise FormatError("its first column is not the shard, or doesn't tell from where to where it goes")
    return bounds


def _last_shard(path: Path) -> int:
    with pq.ParquetFile(path) as file:
        return max((int(last) for _first, last in _bounds(file)), default=-1)


def _rows(path: Path, rows: Sequence[int]) -> list[Source]:
    """Read some rows, in ascending order."""
    wanted = np.unique(rows)
    found: list[Source] = []
    with reading(path), pq.ParquetFile(path) as file:
        check_version(path, file.schema_arrow)
        begin = 0
        for group in range(file.num_row_groups):
            end = begin + file.metadata.row_group(group).num_rows
            here = wanted[(wanted >= begin) & (wanted < end)] - begin
            if len(here):
                found += _converted(file.read_row_group(group).take(pa.array(here.tolist(), pa.int64())), Source)
            begin = end
    return found


def _converted(table: pa.Table, struct: type[T]) -> list[T]:
    return msgspec.convert(table.to_pylist(maps_as_pydicts="strict"), list[struct])  # type: ignore[valid-type]


def _write(path: Path, rows: Sequence[Struct], struct: type[Struct]) -> None:
    schema = arrow_schema(struct)
    with atomic(path) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        for group in in_groups(rows, ROWS):
            writer.write_table(table_of(group, schema))
