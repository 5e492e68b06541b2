# SPDX-License-Identifier: Apache-2.0
"""Digests of groups of rows of a table, a column at a time: equal values give equal digests.

Each leaf of the columns (numbers, bytes of strings, lengths of lists, which rows are null) is a run of bytes in which a
group of rows is one stretch; a group's digest is that of its stretches. No row becomes a Python object.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Bounds = NDArray[np.int64]  # (num_groups + 1,): where groups begin, and the end


class _Leaf(NamedTuple):
    content: memoryview
    bounds: list[int]  # in bytes


def row_digests(batch: pa.RecordBatch, bounds: Bounds) -> list[str]:
    """Return the digest of rows bounds[i] to bounds[i + 1], names and types of columns included: 32 hex digits."""
    names = "\n".join(f"{field.name} {field.type}" for field in batch.schema).encode()
    leaves = [leaf for column in batch.columns for leaf in _leaves(column, bounds)]
    return [_digest(names, leaves, i) for i in range(len(bounds) - 1)]


def numbers_of(array: Any) -> NDArray[Any]:
    """Return an array of numbers or truths without nulls as numpy's. Arrow's own way imports pandas."""
    plain = array.cast(pa.uint8()) if pa.types.is_boolean(array.type) else array
    dtype = np.dtype("float64" if pa.types.is_float64(plain.type) else str(plain.type))
    if not len(plain):
        return np.zeros(0, dtype)
    return np.frombuffer(plain.buffers()[1], dtype, len(plain), plain.offset * dtype.itemsize)


def _digest(names: bytes, leaves: list[_Leaf], i: int) -> str:
    parts = [leaf.content[leaf.bounds[i] : leaf.bounds[i + 1]] for leaf in leaves]
    return hashlib.sha256(b"".join([names, *parts])).hexdigest()[:32]


def _leaves(array: Any, bounds: Bounds) -> Iterator[_Leaf]:
    kind = array.type
    # Always, though nearly all are valid: that one group has a null must not show in another's digest.
    yield _leaf(_valid(array), bounds)
    if pa.types.is_struct(kind):
        for child in array.flatten():
            yield from _leaves(child, bounds)
    elif pa.types.is_list(kind) or pa.types.is_map(kind):
        yield from _lists(array, bounds)
    elif pa.types.is_string(kind) or pa.types.is_binary(kind):
        yield from _strings(array, bounds)
    else:
        yield _leaf(numbers_of(array.fill_null(False if pa.types.is_boolean(kind) else 0)), bounds)


def _lists(array: Any, bounds: Bounds) -> Iterator[_Leaf]:
    offsets = numbers_of(array.offsets).astype(np.int64)
    yield _leaf(np.diff(offsets).astype(np.int32), bounds)
    inner = offsets[bounds]
    if pa.types.is_map(array.type):
        yield from _leaves(array.keys, inner)
        yield from _leaves(array.items, inner)
    else:
        yield from _leaves(array.values, inner)


def _strings(array: Any, bounds: Bounds) -> Iterator[_Leaf]:
    if not len(array):
        return
    _validity, offsets, content = array.buffers()
    ends = np.frombuffer(offsets, np.int32, len(array) + 1, array.offset * 4).astype(np.int64)
    yield _leaf(np.diff(ends).astype(np.int32), bounds)
    yield _leaf(np.frombuffer(content or b"", np.uint8), ends[bounds])


def _valid(array: Any) -> NDArray[np.uint8]:
    if not array.null_count:
        return np.ones(len(array), np.uint8)
    return numbers_of(array.is_valid())


def _leaf(values: NDArray[Any], bounds: Bounds) -> _Leaf:
    content = np.ascontiguousarray(values)
    return _Leaf(memoryview(content.view(np.uint8).data), (bounds * content.itemsize).tolist())
