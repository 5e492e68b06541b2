# SPDX-License-Identifier: Apache-2.0
"""The text and bytes in an Arrow column, however deep they lie, and the row that each belongs to."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from speechmill.pipeline.purge.needles import Needles

Rows = NDArray[np.int64]


def leaves(column: pa.Array, rows: Rows | None = None) -> Iterator[tuple[pa.Array, Rows]]:
    """Yield each string or binary array in a column, and the row of each of its values."""
    rows = np.arange(len(column), dtype=np.int64) if rows is None else rows
    kind = column.type
    if pa.types.is_dictionary(kind):
        yield from leaves(column.dictionary_decode(), rows)
    elif pa.types.is_map(kind):
        yield from leaves(column.cast(pa.list_(pa.struct([("key", kind.key_type), ("value", kind.item_type)]))), rows)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
        yield from leaves(column.flatten(), np.repeat(rows, lengths))
    elif pa.types.is_struct(kind):
        for child in column.flatten():
            yield from leaves(child, rows)
    elif pa.types.is_fixed_size_binary(kind) or pa.types.is_string(kind) or pa.types.is_binary(kind):
        yield column.cast(pa.large_binary()), rows
    elif pa.types.is_large_string(kind) or pa.types.is_large_binary(kind):
        yield column, rows


def rows_with(column: pa.Array, needles: Needles, values: frozenset[bytes] = frozenset()) -> Rows:
    """Return the rows of a column in which a needle is, or a value that equals one of `values`; ascending."""
    found = [np.zeros(0, np.int64)]
    for leaf, rows in leaves(column):
        found.append(rows[_elements_with(leaf, needles)])
        if values:
            equal = pc.is_in(leaf.cast(pa.large_binary()), pa.array(sorted(values), pa.large_binary()))
            found.append(rows[np.flatnonzero(equal.to_numpy(zero_copy_only=False))])
    return np.unique(np.concatenate(found))


def _elements_with(leaf: pa.Array, needles: Needles) -> Rows:
    """Return which values of a large string or binary array hold a needle."""
    _valid, offsets_buffer, content = leaf.buffers()
    if content is None or not len(leaf):
        return np.zeros(0, np.int64)
    offsets = np.frombuffer(offsets_buffer, np.int64)[leaf.offset : leaf.offset + len(leaf) + 1]
    first, last = int(offsets[0]), int(offsets[-1])
    view = memoryview(content)[first:last]
    found = set()
    for place, needle in needles.find(view):
        element = int(np.searchsorted(offsets, first + place, side="right")) - 1
        if first + place + len(needle) <= offsets[element + 1]:  # not over the end of one value into the next
            found.add(element)
    return np.array(sorted(found), dtype=np.int64)
