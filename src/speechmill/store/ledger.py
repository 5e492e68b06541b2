# SPDX-License-Identifier: Apache-2.0
"""The ledger: (stage fingerprint, item key) names a result; results are immutable Parquet parts.

    stages/<name>-<fingerprint>/<shard>/<attempt>-<sequence>.parquet

A part has one row per item: key, whether it succeeded, why not, and the columns the stage wrote. A part is
written to a temporary name, fsynced and renamed, so it is whole or absent. Nothing is ever updated: readers
take one row per key (a success beats a failure, then the lowest name), so doing work twice does no harm.
Who asks for some keys opens only the shards that these lie in, where that is known (`homes`).
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
from msgspec import Struct

from speechmill.core.columns import column_type
from speechmill.core.types import Failed
from speechmill.formats.manifest import arrow_type, write_parquet
from speechmill.store.parts import COMPACT, DONE, REPLACES, Part, Parts, State

__all__ = ["COMPACT_ABOVE", "Homes", "Ledger", "Renamed", "Result", "State"]

COMPACT_ABOVE = 16  # parts of one shard; below that reading them costs little
COMPACT_BELOW = 16 * 2**20  # bytes: not worth another copy. Runs by date all fill the first shards, for years

Renamed = Mapping[str, Mapping[str, str]]
Homes = Mapping[str, tuple[str, ...]]  # the name that an item's results lie under -> the shards they may lie in


class Result(Struct, frozen=True):
    """What one stage has for one item: the columns it wrote, or why it has none."""

    key: str
    columns: dict[str, Any] = {}
    failed: Failed | None = None


class Ledger:
    """Reads and writes the stage results of a workspace (`root`).

    renamed: stage -> item key -> the key that results of it lie under, where the item's alone doesn't name them.
    homes: where to look for results; None: everywhere.
    """

    def __init__(self, root: Path, renamed: Renamed | None = None, homes: Homes | None = None) -> None:
        self.root = root / "stages"
        self.renamed: Renamed = renamed or {}
        self.homes = homes
        self._parts = Parts(self.root)
        # Unique per writer, so that two writers never want one name.
        self._attempt = uuid.uuid4().hex[:12]
        self._sequence = 0

    @property
    def corrupt(self) -> list[str]:
        """Parts set aside because they can't be read; their results are made again."""
        return self._parts.corrupt

    def number(self, name: str) -> int:
        """Return the number of a name that results lie under; names are numbered from 0 as they are met."""
        return self._parts.number(name)

    def find(self, name: str) -> int | None:
        """Return the number of a name, if it has been met."""
        return self._parts.find(name)

    def same(self, name: str) -> str:
        """Return the one copy of a name that is kept, so that whoever keeps names keeps no second one."""
        return self._parts.names[self._parts.number(name)]

    def write(self, stage: str, shard: str, writes: Sequence[str], results: Sequence[Result]) -> Path:
        """Write one part. `stage` is `<name>-<fingerprint>`."""
        names = self.renamed.get(stage, {})
        rows = [_row(names.get(result.key, result.key), result, writes) for result in results]
        self._sequence += 1
        path = self.root / stage / shard / f"{self._attempt}-{self._sequence:06d}.parquet"
        write_parquet(path, pa.Table.from_pylist(rows, schema=_schema(writes)))
        failed = {row: _state(result.failed) for row, result in enumerate(results) if result.failed is not None}
        self._parts.add(path, [row["key"] for row in rows], failed)
        return path

    def states(self, stage: str, keys: Collection[str] | None = None) -> dict[str, State]:
        """Return what the stage has, by item key, without reading what it wrote. keys: only of these; None: of all."""
        renamed = self.renamed.get(stage, {})
        if keys is not None:
            wanted = {self._parts.number(renamed.get(key, key)): key for key in keys}
            parts = self._parts.of(stage, self._shards(stage, (renamed.get(key, key) for key in keys)))
            return {wanted[number]: state for number, state in _states(parts, wanted).items()}
        found = _states(self._parts.of(stage, self._parts.shards(stage)), None)
        states = {self._parts.names[number]: state for number, state in found.items()}
        own = {key: state for key, state in states.items() if key not in renamed}
        return own | {key: states[name] for key, name in renamed.items() if name in states}

    def load(self, stage: str, keys: Collection[str], columns: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return the columns the stage wrote for those of `keys` that succeeded."""
        found: dict[str, dict[str, Any]] = {}
        renamed = self.renamed.get(stage, {})
        names = {renamed.get(key, key): key for key in keys}
        missing = {self._parts.number(name) for name in names}
        for path, part in self._parts.of(stage, self._shards(stage, names)):
            rows = part.rows(missing)  # only a part that has some is read as a whole
            table = self._parts.read(path, ("key", *columns)) if rows else None
            if table is not None:
                missing.difference_update(part.numbers[row] for row in rows)
                for row in table.take(pa.array(rows, pa.int64())).to_pylist(maps_as_pydicts="strict"):
                    found.setdefault(
                        names[row["key"]], {name: msgspec.convert(row[name], column_type(name)) for name in columns}
                    )
        return found

    def locate(self, stages: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Return the shards in which any of the stages has a result, by the name that it lies under."""
        found: dict[int, tuple[str, ...]] = {}
        for stage in stages:
            for shard in self._parts.shards(stage):
                alone = (shard,)  # one for all items
                for _path, part in self._parts.of(stage, [shard]):
                    for number in part.numbers:
                        if shard not in (before := found.get(number, ())):
                            found[number] = (*before, shard) if before else alone
        return {self._parts.names[number]: shards for number, shards in found.items()}

    def table(self, stage: str, columns: Sequence[str]) -> pa.Table:
        """Return one row per key that succeeded, as Arrow: key and the columns asked for."""
        seen: set[int] = set()
        tables = [_schema(columns).empty_table().select(["key", *columns])]
        for path, part in self._parts.of(stage, self._parts.shards(stage)):
            first = {number: row for row, number in reversed(list(enumerate(part.numbers))) if row not in part.failed}
            rows = sorted(row for number, row in first.items() if number not in seen)
            table = self._parts.read(path, ("key", *columns))
            if table is not None:
                seen |= first.keys()
                tables.append(table.take(pa.array(rows, pa.int64())))
        return pa.concat_tables(tables)

    def compact(self, stage: str) -> int:
        """Merge a shard's many small parts into one that lists what it replaces. Returns the shards merged."""
        merged = 0
        for shard in self._parts.shards(stage):
            folder = self.root / stage / shard
            names = [name for name in self._parts.live(stage, shard) if (folder / name).stat().st_size < COMPACT_BELOW]
            if len(names) <= COMPACT_ABOVE:
                continue
            read = [self._parts.read(folder / name) for name in names]
            if any(table is None for table in read):
                continue  # one was set aside: its results are made again first
            table = pa.concat_tables(read)
            table = table.replace_schema_metadata({**(table.schema.metadata or {}), REPLACES: ",".join(names).encode()})
            self._sequence += 1
            write_parquet(folder / f"{self._attempt}-{self._sequence:06d}{COMPACT}", table)
            merged += 1
        return merged

    def replaced(self) -> list[Path]:
        """Return the parts that a compaction has replaced; `speechmill gc` deletes them."""
        folders = {path.parent for path in self.root.glob(f"*/*/*{COMPACT}")}
        found = []
        for folder in folders:
            stage, shard = folder.parent.name, folder.name
            found += [folder / name for name in {*self._parts.all(stage, shard)} - {*self._parts.live(stage, shard)}]
        return found

    def _shards(self, stage: str, names: Iterable[str]) -> list[str]:
        if self.homes is None:
            return self._parts.shards(stage)
        return sorted({shard for name in names for shard in self.homes.get(name, ())})


def _states(parts: Iterator[tuple[Path, Part]], wanted: Collection[int] | None) -> dict[int, State]:
    found: dict[int, State] = {}
    for _path, part in parts:
        for row, number in enumerate(part.numbers):
            if wanted is None or number in wanted:
                failed = part.failed.get(row)
                before = found.get(number)
                found[number] = DONE if failed is None or before is DONE else _again(before, failed)
    return found


def _again(before: State | None, failed: State) -> State:
    """Return the state of an item that has failed, perhaps not for the first time."""
    if before is None:
        return failed
    return State(
        False, failed.reason, failed.detail, before.permanent or failed.permanent, before.attempts + failed.attempts
    )


def _state(failed: Failed) -> State:
    return State(False, failed.reason, failed.detail, failed.permanent, 1)


def _schema(writes: Sequence[str]) -> pa.Schema:
    fields = [("key", pa.string()), ("ok", pa.bool_()), ("reason", pa.string()), ("detail", pa.string())]
    columns = [(name, arrow_type(column_type(name))) for name in writes]
    return pa.schema([*fields, ("permanent", pa.bool_()), *columns])


def _row(key: str, result: Result, writes: Sequence[str]) -> dict[str, Any]:
    failed = result.failed
    row: dict[str, Any] = {
        name: msgspec.to_builtins(result.columns.get(name), builtin_types=(bytes,)) for name in writes
    }
    row |= {"key": key, "ok": failed is None}
    if failed is not None:
        row |= {"reason": failed.reason, "detail": failed.detail, "permanent": failed.permanent}
    return row
