# SPDX-License-Identifier: Apache-2.0
"""Group d-vectors into speakers: average-linkage clustering on cosine distance, then clean-up.

Pure numpy and deterministic: ties go to the lowest index. Source of the nearest-neighbour chain:
Murtagh, Computer Journal 1983; of its reducibility with average linkage: Müllner, arXiv:1109.2378.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]


def average_linkage(embeddings: Floats) -> list[tuple[int, int, float]]:
    """Merge n unit vectors in n - 1 steps: (a member of one cluster, a member of the other, distance), nearest first.

    distance: mean of 1 - cosine over all pairs of the two clusters. Memory is n^2 floats, time O(n^2).
    """
    total = len(embeddings)
    distance = 1.0 - embeddings.astype(np.float64) @ embeddings.T.astype(np.float64)
    np.fill_diagonal(distance, np.inf)
    size = np.ones(total)
    merges: list[tuple[int, int, float]] = []
    chain: list[int] = []
    alive = 0  # below this, every row is merged away
    for _ in range(total - 1):
        if not chain:
            while size[alive] == 0:
                alive += 1
            chain = [alive]
        left, right, height = _reciprocal_neighbours(distance, chain)
        merges.append((left, right, height))
        row = (size[left] * distance[left] + size[right] * distance[right]) / (size[left] + size[right])
        row[[left, right]] = np.inf
        distance[left], distance[:, left] = row, row
        distance[right], distance[:, right] = np.inf, np.inf
        size[left], size[right] = size[left] + size[right], 0
    return sorted(merges, key=lambda merge: merge[2])


def _reciprocal_neighbours(distance: NDArray[np.float64], chain: list[int]) -> tuple[int, int, float]:
    """Follow nearest neighbours from the chain's end until two are each other's; take those off the chain."""
    while True:
        tip = chain[-1]
        near = int(np.argmin(distance[tip]))
        if len(chain) > 1 and distance[tip, chain[-2]] <= distance[tip, near]:
            chain.pop()
            before = chain.pop()
            return min(tip, before), max(tip, before), float(distance[tip, before])
        chain.append(near)


def cut(merges: list[tuple[int, int, float]], total: int, keep: Callable[[float, int], bool]) -> Labels:
    """Apply merges, nearest first, while keep(distance, clusters now) says so; labels 0, 1, ... by first member."""
    parent = list(range(total))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    clusters = total
    for left, right, height in merges:
        if not keep(height, clusters):
            break
        one, other = sorted((root(left), root(right)))
        parent[other] = one
        clusters -= 1
    return relabel(np.array([root(index) for index in range(total)], dtype=np.int64))


def relabel(labels: Labels) -> Labels:
    """Number labels 0, 1, ... in the order of their first appearance."""
    values, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(values), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(values))
    return rank[inverse]


def centroids(embeddings: Floats, labels: Labels, weights: NDArray[np.float64]) -> Floats:
    """Weighted mean of each cluster, scaled to length 1: (num_clusters, dimension).

    labels: 0, 1, ... without holes.
    """
    sums = np.zeros((int(labels.max()) + 1, embeddings.shape[1]))
    np.add.at(sums, labels, embeddings * weights[:, None])
    return np.asarray(sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12), dtype=np.float32)
