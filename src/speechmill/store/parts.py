# SPDX-License-Identifier: Apache-2.0
"""The Parquet parts of a ledger: which there are, and which items each has, held in few bytes.

Parts never change, so each is read once for its keys: 5 bytes an item and part are kept, beside one copy of each key.
Which parts there are is asked of the disk every time: other processes write some, too.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
from msgspec import Struct

from speechmill.core.errors import FormatError
from speechmill.core.files import TEMPORARY
from speechmill.formats.manifest import read_parquet

REPLACES = b"speechmill.replaces"
STATUS = ("key", "ok", "reason", "detail", "permanent")
COMPACT = ".compact.parquet"


class State(Struct, frozen=True):
    """What is known of one item in one stage. `attempts` counts failed ones."""

    ok: bool
    reason: str = ""
    detail: str = ""
    permanent: bool = False
    attempts: int = 0


DONE = State(ok=True)


class Part(Struct, frozen=True):
    """Which items a part has: their numbers row by row, and by row the state of those that failed."""

    numbers: array[int]
    failed: Mapping[int, State]

    def rows(self, wanted: Container[int]) -> list[int]:
        """Return the rows of wanted items that succeeded."""
        return [row for row, number in enumerate(self.numbers) if number in wanted and row not in self.failed]


class Parts:
    """The parts under `root`: <stage>/<shard>/<name>.parquet. Items are numbered as they are met."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.corrupt: list[str] = []  # parts set aside because they can't be read; their results are made again
        self.names: list[str] = []  # of items, by number
        self._numbers: dict[str, int] = {}
        self._seen: dict[tuple[str, str], dict[str, Part]] = {}  # by stage and shard, then by file name
        self._replaced: dict[tuple[str, str], dict[str, tuple[str, ...]]] = {}  # by a compacted part

    def number(self, name: str) -> int:
        """Return an item's number."""
        number = self._numbers.setdefault(name, len(self.names))
        if number == len(self.names):
            self.names.append(name)
        return number

    def find(self, name: str) -> int | None:
        """Return an item's number, if it has been met."""
        return self._numbers.get(name)

    def shards(self, stage: str) -> list[str]:
        """Return the shards that a stage has results of."""
        try:
            return sorted(entry.name for entry in os.scandir(self.root / stage) if entry.is_dir())
        except FileNotFoundError:
            return []

    def all(self, stage: str, shard: str) -> list[str]:
        """Return the file names of a shard's parts, those that a compaction has replaced too."""
        try:
            found = [entry.name for entry in os.scandir(self.root / stage / shard)]
        except FileNotFoundError:
            return []
        return sorted(name for name in found if name.endswith(".parquet") and not name.startswith(TEMPORARY))

    def live(self, stage: str, shard: str) -> list[str]:
        """Return the file names of a shard's parts that count."""
        names = self.all(stage, shard)
        compacted = [name for name in names if name.endswith(COMPACT)]
        replaced = {old for name in compacted for old in self._replaces(stage, shard, name)}
        return [name for name in names if name not in replaced]

    def of(self, stage: str, shards: Sequence[str]) -> Iterator[tuple[Path, Part]]:
        """Yield the parts of some shards that count, in order, with the items they have."""
        for shard in shards:
            for name in self.live(stage, shard):
                seen = self._seen.setdefault((stage, shard), {})
                part = seen.get(name) or self._look(self.root / stage / shard / name)
                if part is not None:
                    seen[name] = part
                    yield self.root / stage / shard / name, part

    def add(self, path: Path, names: Sequence[str], failed: Mapping[int, State]) -> None:
        """Remember what was written just now."""
        stage, shard = path.parent.parent.name, path.parent.name
        self._seen.setdefault((stage, shard), {})[path.name] = Part(array("i", map(self.number, names)), failed)

    def read(self, path: Path, columns: Sequence[str] | None = None) -> pa.Table | None:
        """Read a part; one that is corrupt is set aside, and its results count as missing."""
        try:
            return read_parquet(path, columns)
        except FormatError as error:
            path.replace(path.with_suffix(".corrupt"))  # stays for a look; `speechmill gc` removes it
            self.corrupt.append(str(error))
            return None

    def _look(self, path: Path) -> Part | None:
        table = self.read(path, STATUS)
        if table is None:
            return None
        rows = zip(*(table[name].to_pylist() for name in STATUS), strict=True)
        keys, failed = [], dict[int, State]()
        for row, (key, ok, reason, detail, permanent) in enumerate(rows):
            keys.append(key)
            if not ok:
                failed[row] = State(False, reason, detail, permanent, 1)
        return Part(array("i", map(self.number, keys)), failed)

    def _replaces(self, stage: str, shard: str, name: str) -> tuple[str, ...]:
        known = self._replaced.setdefault((stage, shard), {})
        if name not in known:
            known[name] = _replaces(self.root / stage / shard / name)
        return known[name]


def _replaces(path: Path) -> tuple[str, ...]:
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_schema(path).metadata or {}
    except (pa.ArrowInvalid, OSError):
        return ()  # corrupt: then nothing is replaced, and reading it sets it aside
    return tuple(metadata.get(REPLACES, b"").decode().split(","))
