# SPDX-License-Identifier: Apache-2.0
"""Rows of which a corpus has as many as recordings, in few bytes: all of them are held, a few are structs at a time.

A Source takes about a kilobyte as Python objects, with its strings; packed with its neighbours about a hundred bytes.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar, overload

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from speechmill.core.groups import in_groups
from speechmill.formats.manifest import ROWS_AT_ONCE, check_version, reading

TOGETHER = 128  # rows: more save little, and one that is looked up costs unpacking all of them

T = TypeVar("T", bound=msgspec.Struct)


class Packed(Sequence[T]):
    """Structs in order. Quick to go through; one that is looked up is quick where it lies near the one before."""

    def __init__(self, rows: Iterable[T], struct: type[T]) -> None:
        self._decoder: msgspec.msgpack.Decoder[list[T]] = msgspec.msgpack.Decoder(list[struct])  # type: ignore[valid-type]
        self._codec = pa.Codec("zstd", compression_level=1)
        encoder = msgspec.msgpack.Encoder()
        self._groups: list[tuple[int, bytes]] = []  # bytes before packing, and packed
        self._length = 0
        for group in in_groups(rows, TOGETHER):
            raw = encoder.encode(group)
            self._groups.append((len(raw), self._codec.compress(raw, asbytes=True)))
            self._length += len(group)
        self._last: tuple[int, list[T]] = (-1, [])  # the group that was looked up last

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, at: int) -> T: ...

    @overload
    def __getitem__(self, at: slice) -> list[T]: ...

    def __getitem__(self, at: int | slice) -> T | list[T]:
        if isinstance(at, slice):
            return [self[row] for row in range(*at.indices(self._length))]
        row = range(self._length)[at]  # IndexError where there is none
        group, rows = self._last
        if group != row // TOGETHER:
            group = row // TOGETHER
            rows = self._unpacked(group)
            self._last = (group, rows)
        return rows[row % TOGETHER]

    def __iter__(self) -> Iterator[T]:
        for group in range(len(self._groups)):
            yield from self._unpacked(group)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def _unpacked(self, group: int) -> list[T]:
        size, packed = self._groups[group]
        return self._decoder.decode(self._codec.decompress(packed, size, asbytes=True))


class HasKey(Protocol):
    """A row that is known by a key."""

    @property
    def key(self) -> str: ...


K = TypeVar("K", bound=HasKey)


class ByKey(Mapping[str, K]):
    """Rows by key; of those with one key it is the first. Keys are numbers here: 4 bytes each."""

    def __init__(self, rows: Sequence[K], number: Callable[[str], int], find: Callable[[str], int | None]) -> None:
        """number, find: give a key its number, and tell which one it has; numbers are small."""
        self._rows = rows
        self._find = find
        self._places = array("i")  # by number; -1: none
        self._length = 0
        for place, row in enumerate(rows):
            found = number(row.key)
            if found >= len(self._places):
                self._places.extend([-1] * (found + 1 - len(self._places)))
            if self._places[found] < 0:
                self._places[found] = place
                self._length += 1

    def place(self, key: str) -> int | None:
        """Return where in the sequence a key's row is; None where there is none."""
        number = self._find(key)
        if number is None or number >= len(self._places) or self._places[number] < 0:
            return None
        return self._places[number]

    def __getitem__(self, key: str) -> K:
        if (place := self.place(key)) is None:
            raise KeyError(key)
        return self._rows[place]

    def __iter__(self) -> Iterator[str]:
        return (row.key for place, row in enumerate(self._rows) if self.place(row.key) == place)

    def __len__(self) -> int:
        return self._length


def stream_rows(path: Path, struct: type[T]) -> Iterator[T]:
    """Yield structs from Parquet, some hundred in memory at a time. Raises FormatError, WorkspaceError."""
    with reading(path), pq.ParquetFile(path) as file:
        check_version(path, file.schema_arrow)
        for batch in file.iter_batches(ROWS_AT_ONCE):
            rows: list[Any] = batch.to_pylist(maps_as_pydicts="strict")
            yield from msgspec.convert(rows, list[struct])  # type: ignore[valid-type]
