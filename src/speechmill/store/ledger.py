# SPDX-License-Identifier: Apache-2.0
"""The ledger: (stage fingerprint, item key) names a result; results are immutable Parquet parts.

    stages/<name>-<fingerprint>/<shard>/<attempt>-<sequence>.parquet

A part has one row per item: key, whether it succeeded, why not, and the columns the stage wrote. A part is
written to a temporary name, fsynced and renamed, so it is whole or absent. Nothing is ever updated: readers
take one row per key (a success beats a failure, then the lowest name), so doing work twice does no harm.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
from msgspec import Struct

from speechmill.core.columns import column_type
from speechmill.core.errors import FormatError
from speechmill.core.files import TEMPORARY
from speechmill.core.types import Failed
from speechmill.formats.manifest import arrow_type, read_parquet, write_parquet

COMPACT_ABOVE = 16  # parts of one shard; below that reading them costs little
_REPLACES = b"speechmill.replaces"
_STATUS = ("key", "ok", "reason", "detail", "permanent")

Renamed = Mapping[str, Mapping[str, str]]


class Result(Struct, frozen=True):
    """What one stage has for one item: the columns it wrote, or why it has none."""

    key: str
    columns: dict[str, Any] = {}
    failed: Failed | None = None


class State(Struct):
    """What is known of one item in one stage. `attempts` counts failed ones."""

    ok: bool
    reason: str = ""
    detail: str = ""
    permanent: bool = False
    attempts: int = 0


class Ledger:
    """Reads and writes the stage results of a workspace (`root`).

    renamed: stage -> item key -> the key that results of it lie under, where the item's alone doesn't name them.
    """

    def __init__(self, root: Path, renamed: Renamed | None = None) -> None:
        self.root = root / "stages"
        self.renamed: Renamed = renamed or {}
        self.corrupt: list[str] = []  # parts set aside because they can't be read; their results are made again
        self._keys: dict[Path, tuple[list[str], list[bool]]] = {}  # of parts seen: they never change
        # Unique per writer, so that two writers never want one name.
        self._attempt = uuid.uuid4().hex[:12]
        self._sequence = 0

    def write(self, stage: str, shard: str, writes: Sequence[str], results: Sequence[Result]) -> Path:
        """Write one part. `stage` is `<name>-<fingerprint>`."""
        names = self.renamed.get(stage, {})
        rows = [_row(names.get(result.key, result.key), result, writes) for result in results]
        self._sequence += 1
        path = self.root / stage / shard / f"{self._attempt}-{self._sequence:06d}.parquet"
        write_parquet(path, pa.Table.from_pylist(rows, schema=_schema(writes)))
        return path

    def states(self, stage: str) -> dict[str, State]:
        """Return what the stage has, by item key, without reading what it wrote."""
        states: dict[str, State] = {}
        for _path, table in self._tables(stage, _STATUS):
            for key, ok, reason, detail, permanent in zip(*(table[name].to_pylist() for name in _STATUS), strict=True):
                state = states.setdefault(key, State(ok=ok))
                if ok:
                    state.ok, state.reason, state.detail, state.permanent = True, "", "", False
                elif not state.ok:
                    state.reason, state.detail = reason, detail
                    state.permanent = state.permanent or permanent
                    state.attempts += 1
        if not (renamed := self.renamed.get(stage, {})):
            return states
        own = {key: state for key, state in states.items() if key not in renamed}
        return own | {key: states[name] for key, name in renamed.items() if name in states}

    def load(self, stage: str, keys: Collection[str], columns: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return the columns the stage wrote for those of `keys` that succeeded."""
        found: dict[str, dict[str, Any]] = {}
        renamed = self.renamed.get(stage, {})
        wanted = {renamed.get(key, key): key for key in keys}
        for path in self._parts(stage):
            hits = self._hits(path, wanted.keys() - found.keys())
            table = self._read(path, ("key", *columns)) if hits else None
            if table is not None:
                for row in table.take(pa.array(hits, pa.int64())).to_pylist(maps_as_pydicts="strict"):
                    found[row["key"]] = {name: msgspec.convert(row[name], column_type(name)) for name in columns}
        return {wanted[name]: columns_of for name, columns_of in found.items()}

    def _hits(self, path: Path, wanted: Set[str]) -> list[int]:
        """Rows of a part that succeeded for wanted keys; only a part that has some is read as a whole."""
        if path not in self._keys:
            table = self._read(path, ("key", "ok"))
            self._keys[path] = (table["key"].to_pylist(), table["ok"].to_pylist()) if table is not None else ([], [])
        keys, succeeded = self._keys[path]
        return [i for i, (key, ok) in enumerate(zip(keys, succeeded, strict=True)) if ok and key in wanted]

    def table(self, stage: str, columns: Sequence[str]) -> pa.Table:
        """Return one row per key that succeeded, as Arrow: key and the columns asked for."""
        seen: set[str] = set()
        tables = []
        for _path, table in self._tables(stage, ("key", "ok", *columns)):
            keep = []
            for i, (key, ok) in enumerate(zip(table["key"].to_pylist(), table["ok"].to_pylist(), strict=True)):
                if ok and key not in seen:
                    seen.add(key)
                    keep.append(i)
            tables.append(table.take(pa.array(keep, pa.int64())).drop_columns("ok"))
        if not tables:
            schema = _schema(columns)
            return schema.empty_table().select(["key", *columns])
        return pa.concat_tables(tables)

    def compact(self, stage: str) -> int:
        """Merge a shard's many parts into one that lists what it replaces. Returns the shards merged."""
        merged = 0
        for shard in sorted(folder for folder in (self.root / stage).glob("*") if folder.is_dir()):
            parts = self._live(shard)
            if len(parts) <= COMPACT_ABOVE:
                continue
            read = [self._read(path) for path in parts]
            if any(table is None for table in read):
                continue  # one was set aside: its results are made again first
            table = pa.concat_tables(read)
            names = ",".join(path.name for path in parts).encode()
            table = table.replace_schema_metadata({**(table.schema.metadata or {}), _REPLACES: names})
            self._sequence += 1
            write_parquet(shard / f"{self._attempt}-{self._sequence:06d}.compact.parquet", table)
            merged += 1
        return merged

    def replaced(self) -> list[Path]:
        """Return the parts that a compaction has replaced; `speechmill gc` deletes them."""
        shards = {path.parent for path in self.root.glob("*/*/*.compact.parquet")}
        return [path for shard in shards for path in set(_parts(shard)) - set(self._live(shard))]

    def _live(self, shard: Path) -> list[Path]:
        parts = _parts(shard)
        replaced: set[str] = set()
        for path in parts:
            if path.name.endswith(".compact.parquet"):
                replaced |= set(_replaces(path))
        return [path for path in parts if path.name not in replaced]

    def _tables(self, stage: str, columns: Sequence[str]) -> Iterator[tuple[Path, pa.Table]]:
        for path in self._parts(stage):
            table = self._read(path, columns)
            if table is not None:
                yield path, table

    def _parts(self, stage: str) -> list[Path]:
        shards = sorted(folder for folder in (self.root / stage).glob("*") if folder.is_dir())
        return [path for shard in shards for path in self._live(shard)]

    def _read(self, path: Path, columns: Sequence[str] | None = None) -> pa.Table | None:
        """Read a part; one that is corrupt is set aside, and its results count as missing."""
        try:
            return read_parquet(path, columns)
        except FormatError as error:
            path.replace(path.with_suffix(".corrupt"))  # stays for a look; `speechmill gc` removes it
            self.corrupt.append(str(error))
            return None


def _parts(shard: Path) -> list[Path]:
    return sorted(path for path in shard.glob("*.parquet") if not path.name.startswith(TEMPORARY))


def _replaces(path: Path) -> list[str]:
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_schema(path).metadata or {}
    except (pa.ArrowInvalid, OSError):
        return []  # corrupt: then nothing is replaced, and reading it sets it aside
    names: str = metadata.get(_REPLACES, b"").decode()
    return names.split(",")


def _schema(writes: Sequence[str]) -> pa.Schema:
    fields = [("key", pa.string()), ("ok", pa.bool_()), ("reason", pa.string()), ("detail", pa.string())]
    columns = [(name, arrow_type(column_type(name))) for name in writes]
    return pa.schema([*fields, ("permanent", pa.bool_()), *columns])


def _row(key: str, result: Result, writes: Sequence[str]) -> dict[str, Any]:
    failed = result.failed
    row: dict[str, Any] = {name: msgspec.to_builtins(result.columns.get(name)) for name in writes}
    row |= {"key": key, "ok": failed is None}
    if failed is not None:
        row |= {"reason": failed.reason, "detail": failed.detail, "permanent": failed.permanent}
    return row
