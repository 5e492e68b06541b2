# SPDX-License-Identifier: Apache-2.0
"""Columns between Arrow and numpy, by their buffers.

pyarrow's own `to_numpy` and `pa.array(ndarray)` import pandas where it is installed, which costs a third of
a second: a third of what re-filtering a million segments may take. Primitive columns only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from speechmill.pipeline.expressions import Floats, Truths


def integers(array: pa.Array, missing: int = 0) -> NDArray[np.int64]:
    """Return an integer column as (num_rows,) int64, with `missing` where there is no value."""
    values = _values(array).astype(np.int64)
    if array.null_count:
        values[~_valid(array)] = missing
    return values


def floats(array: pa.Array) -> Floats:
    """Return a column of numbers as (num_rows,) float64, NaN where there is no value or one that is not finite."""
    values = _values(array).astype(np.float64)
    if array.null_count:
        values[~_valid(array)] = np.nan
    values[~np.isfinite(values)] = np.nan
    return values


def _values(array: pa.Array) -> NDArray[Any]:
    data = array.buffers()[1]
    if data is None or len(array) == 0:
        return np.zeros(len(array), dtype=np.float64)
    dtype = np.dtype({"double": "float64", "float": "float32"}.get(str(array.type), str(array.type)))
    return np.frombuffer(data, dtype=dtype, count=len(array), offset=array.offset * dtype.itemsize)


def _valid(array: pa.Array) -> Truths:
    bits = np.unpackbits(np.frombuffer(array.buffers()[0], dtype=np.uint8), bitorder="little")
    return bits[array.offset : array.offset + len(array)].astype(bool)


def offsets_of(lists: pa.ListArray) -> NDArray[np.int64]:
    """Return (num_rows + 1,) offsets of a list column into its `values`."""
    return integers(lists.offsets)


def float_array(values: Floats) -> pa.Array:
    """Return an Arrow column of doubles, null where a value is not finite."""
    finite = np.isfinite(values)
    bits = None if finite.all() else pa.py_buffer(np.packbits(finite, bitorder="little"))
    return pa.Array.from_buffers(pa.float64(), len(values), [bits, pa.py_buffer(np.ascontiguousarray(values))])


def integer_array(values: NDArray[Any]) -> pa.Array:
    """Return an Arrow column of 32-bit integers."""
    return pa.Array.from_buffers(pa.int32(), len(values), [None, pa.py_buffer(values.astype(np.int32))])


def string_array(values: Sequence[str]) -> pa.Array:
    """Return an Arrow column of strings."""
    raw = [value.encode() for value in values]
    offsets = np.cumsum([0, *map(len, raw)]).astype(np.int32)
    return pa.Array.from_buffers(pa.string(), len(raw), [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(raw))])


def coded_array(codes: NDArray[Any], values: Sequence[str]) -> pa.Array:
    """Return an Arrow column of strings: `values[code]`, and null where a code is negative."""
    bits = pa.py_buffer(np.packbits(codes >= 0, bitorder="little"))
    places = pa.Array.from_buffers(pa.int32(), len(codes), [bits, pa.py_buffer(codes.astype(np.int32))])
    return string_array(values).take(places)
