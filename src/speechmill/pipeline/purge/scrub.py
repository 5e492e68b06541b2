# SPDX-License-Identifier: Apache-2.0
"""Takes traces out of one file by its kind: rows of Parquet, entries of JSON, lines of text. What else has one goes.

Each file is whole at any time: the new one is written beside it and takes its name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from speechmill.core.files import atomic, write_bytes
from speechmill.pipeline.purge.leaves import rows_with
from speechmill.pipeline.purge.needles import Needles
from speechmill.pipeline.purge.scan import SHORT, Wanted, is_of_speakers

PURGED = "[purged]"
# Columns in which a row of another recording may name the target: only the name goes.
MENTIONS = ("duplicate_of", "alias_of", "gaps", "warnings", "drops", "detail", "homes")
_BY_LINES = (".jsonl", ".tsv", ".csv", ".txt", ".log")


def scrub(path: Path, wanted: Wanted) -> str:
    """Take traces out of a file that has some. Returns what was done: "rewritten" or "deleted"."""
    if path.suffix == ".parquet" and scrub_parquet(path, wanted) is not None:
        return "rewritten"
    if path.suffix == ".json" and _scrub_json(path, wanted):
        return "rewritten"
    if path.suffix in _BY_LINES:
        _scrub_lines(path, wanted)
        return "rewritten"
    path.unlink(missing_ok=True)
    return "deleted"


def scrub_parquet(path: Path, wanted: Wanted) -> int | None:
    """Rewrite a Parquet file without the target's rows. Returns how many those were; None: it can't be read."""
    try:
        with pq.ParquetFile(path) as file, atomic(path) as temporary:
            return _rewritten(file, temporary, wanted)
    except (pa.ArrowInvalid, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        return None


def _rewritten(file: pq.ParquetFile, out: Path, wanted: Wanted) -> int:
    schema, gone = file.schema_arrow, 0
    with pq.ParquetWriter(out, schema, compression="zstd") as writer:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group)
            kept = _without(table, wanted)
            gone += table.num_rows - kept.num_rows
            if kept.num_rows:
                writer.write_table(kept.cast(schema))
    return gone


def _without(table: pa.Table, wanted: Wanted) -> pa.Table:
    keep = np.ones(table.num_rows, dtype=bool)
    mentions = {}
    for name in table.column_names:
        rows = _rows(table[name], wanted.needles, wanted.values if is_of_speakers(name) else frozenset())
        if name in MENTIONS:
            mentions[name] = rows
        else:
            keep[rows] = False
    for name, rows in mentions.items():
        if keep[rows].any():
            at = table.column_names.index(name)
            table = table.set_column(at, table.schema.field(at), _nulled(table[name], rows))
    return table.filter(pa.array(keep))


def _rows(column: pa.ChunkedArray, needles: Needles, values: frozenset[bytes]) -> np.ndarray[Any, Any]:
    found, begin = [np.zeros(0, np.int64)], 0
    for chunk in column.chunks:
        found.append(begin + rows_with(chunk, needles, values))
        begin += len(chunk)
    return np.concatenate(found)


def _nulled(column: pa.ChunkedArray, rows: np.ndarray[Any, Any]) -> pa.ChunkedArray:
    """Leave the values of some rows out: null, or nothing where it is a list or a map."""
    kind = column.type
    empty: Any = [] if pa.types.is_list(kind) or pa.types.is_map(kind) else None
    values = pa.chunked_array([*column.chunks, pa.array([empty], kind)])
    take = np.arange(len(column), dtype=np.int64)
    take[rows] = len(column)
    return values.take(pa.array(take))


def scrub_run(folder: Path, wanted: Wanted) -> None:
    """Take the target out of a run's batch manifest and shards, whose rows count those of the manifest.

    Shards first, by what the manifest will be: cut off in between, doing it again gives the same.
    """
    sources, shards = folder / "sources.parquet", folder / "shards.parquet"
    if not sources.exists():
        return
    with pq.ParquetFile(sources) as file:
        kept = [_without(file.read_row_group(group), wanted)["key"] for group in range(file.num_row_groups)]
    rows: dict[str, int] = {}
    for row, key in enumerate(key for column in kept for key in column.to_pylist()):
        rows.setdefault(key, row)
    if shards.exists():
        _renumber(shards, wanted, rows)
    scrub_parquet(sources, wanted)


def _renumber(shards: Path, wanted: Wanted, rows: dict[str, int]) -> None:
    with (
        pq.ParquetFile(shards) as file,
        atomic(shards) as temporary,
        pq.ParquetWriter(temporary, file.schema_arrow, compression="zstd") as writer,
    ):
        for group in range(file.num_row_groups):
            table = _renumbered(_without(file.read_row_group(group), wanted), rows)
            if table.num_rows:
                writer.write_table(table.cast(file.schema_arrow))


def _renumbered(table: pa.Table, rows: dict[str, int]) -> pa.Table:
    if "row" not in table.column_names:
        return table
    numbers = pa.array([rows.get(key, -1) for key in table["key"].to_pylist()], pa.int64())
    return table.set_column(table.column_names.index("row"), "row", numbers)


def _scrub_json(path: Path, wanted: Wanted) -> bool:
    try:
        value = msgspec.json.decode(path.read_bytes())
    except msgspec.DecodeError:
        return False
    indented = b"\n" in path.read_bytes()
    content = msgspec.json.encode(cleaned(value, _hit(wanted)))
    write_bytes(path, msgspec.json.format(content, indent=2) if indented else content)
    return True


def _hit(wanted: Wanted) -> Callable[[object, str], bool]:
    def hit(value: object, key: str) -> bool:
        if not isinstance(value, str):
            return False
        content = value.encode()
        named = content in wanted.values and len(content) >= SHORT and is_key_of_speakers(key)
        return named or wanted.needles.first(content) is not None

    return hit


def is_key_of_speakers(key: str) -> bool:
    """Tell whether a key of JSON has speakers' names below it."""
    return any(word in key.lower() for word in ("speaker", "participant", "author", "tier"))


def cleaned(value: Any, hit: Callable[[object, str], bool], under: str = "") -> Any:
    """Return JSON without what names the target: entries of lists and keys go, other values are put out of sight.

    hit: tells of a string, and of the key that it is or stands under, whether it names the target.

    >>> cleaned({"n": 2, "failed": [{"id": "a"}, {"id": "b"}], "why": "a"}, lambda value, key: value == "a")
    {'n': 2, 'failed': [{'id': 'b'}], 'why': '[purged]'}
    """
    if isinstance(value, dict):
        rest = {key: item for key, item in value.items() if not hit(key, under)}
        return {key: PURGED if hit(item, key) else cleaned(item, hit, key) for key, item in rest.items()}
    if isinstance(value, list):
        return [cleaned(item, hit, under) for item in value if not _is_its(item, hit, under)]
    return value


def _is_its(item: Any, hit: Callable[[object, str], bool], under: str) -> bool:
    if isinstance(item, dict):
        return any(hit(value, key) for key, value in item.items())
    if isinstance(item, list):
        return any(hit(value, under) for value in item)
    return hit(item, under)


def _scrub_lines(path: Path, wanted: Wanted) -> None:
    with path.open("rb") as lines, atomic(path) as temporary, temporary.open("wb") as out:
        for line in lines:
            if not wanted.first(line):
                out.write(line)


class Touched:
    """Counts what was done to files, by the kind of thing that they are: done -> kind -> how many."""

    def __init__(self, counts: Mapping[str, Mapping[str, int]]) -> None:
        self.counts = {done: dict(kinds) for done, kinds in counts.items()}

    def add(self, kind: str, done: str, count: int = 1) -> None:
        """Count some more."""
        kinds = self.counts.setdefault(done, {})
        kinds[kind] = kinds.get(kind, 0) + count
