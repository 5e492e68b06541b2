# SPDX-License-Identifier: Apache-2.0
"""Optimal one-to-one assignment, for mapping a system's speakers to the reference's.

The Hungarian algorithm with shortest augmenting paths and potentials, O(n^3). Source: Kuhn 1955;
Jonker & Volgenant 1987. For matrices of a few hundred rows, not for large problems.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def assign(gain: ArrayLike) -> list[tuple[int, int]]:
    """Pair rows with columns so that the summed gain is largest.

    gain: (rows, columns), finite. Returns min(rows, columns) pairs (row, column), ordered by row.
    Raises ValueError for another number of dimensions or a value that is not finite.

    >>> assign([[5, 4], [4, 1]])
    [(0, 1), (1, 0)]
    """
    matrix = np.asarray(gain, dtype=np.float64)
    if matrix.size == 0:
        return []
    if matrix.ndim != 2 or not np.isfinite(matrix).all():
        raise ValueError(f"a matrix of finite gains is needed, not one of shape {matrix.shape}")
    if matrix.shape[0] > matrix.shape[1]:
        return sorted((row, column) for column, row in assign(matrix.T))
    row_of = _shortest_augmenting_paths(-matrix)
    return sorted((int(row), column) for column, row in enumerate(row_of) if row >= 0)


def _shortest_augmenting_paths(cost: NDArray[np.float64]) -> NDArray[np.int64]:
    """Row matched to each column (-1: none) at the least cost; rows <= columns."""
    rows, columns = cost.shape
    row_potential, column_potential = np.zeros(rows), np.zeros(columns)
    row_of = np.full(columns, -1)
    for start in range(rows):
        distance = np.full(columns, np.inf)
        previous = np.full(columns, -1)  # the column before this one on the path; -1: the start row
        done = np.zeros(columns, dtype=bool)
        row, column = start, -1
        while row >= 0:
            base = 0.0 if column < 0 else distance[column]
            reduced = base + cost[row] - row_potential[row] - column_potential
            better = ~done & (reduced < distance)
            distance[better], previous[better] = reduced[better], column
            column = int(np.argmin(np.where(done, np.inf, distance)))
            done[column] = True
            row = row_of[column]
        slack = np.maximum(distance[column] - distance, 0.0) * done
        row_potential[start] += distance[column]
        matched = done & (row_of >= 0)
        row_potential[row_of[matched]] += slack[matched]
        column_potential -= slack
        while column >= 0:  # flip the path
            before = int(previous[column])
            row_of[column] = start if before < 0 else row_of[before]
            column = before
    return row_of
