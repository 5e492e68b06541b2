# SPDX-License-Identifier: Apache-2.0
"""Matrix products that stay on the thread that asks for them.

OpenBLAS shares a large product among threads of its own. Beside threads of ours they wait for each other: a product
takes ten times the CPU time, and far more on a busy machine. Up to 2^18 multiplications it keeps to one thread, so
products are made of tiles of that size; they are as fast.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

_MAX_PRODUCT = 1 << 18
_ROWS = 32

Number = TypeVar("Number", np.float32, np.float64)


def product(left: NDArray[Number], right: NDArray[Number]) -> NDArray[Number]:
    """Return left @ right, of (rows, inner) and (inner, columns)."""
    rows, inner = left.shape
    columns = right.shape[1]
    if rows * inner * columns <= _MAX_PRODUCT:
        return _times(left, right)
    found = np.empty((rows, columns), left.dtype)
    whole = rows // _ROWS * _ROWS
    tiles = np.ascontiguousarray(left[:whole]).reshape(whole // _ROWS, _ROWS, inner)
    width = max(8, _MAX_PRODUCT // (_ROWS * inner))
    for start in range(0, columns, width):
        part = np.ascontiguousarray(right[:, start : start + width])
        found[:whole, start : start + width] = _times(tiles, part).reshape(whole, part.shape[1])
        found[whole:, start : start + width] = _times(left[whole:], part)
    return found


def _times(left: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(np.matmul(left, right))
