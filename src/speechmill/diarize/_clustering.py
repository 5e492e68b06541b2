# SPDX-License-Identifier: Apache-2.0
"""Group d-vectors around a given number of centroids: k-means on the sphere, and speakers that don't jump.

Pure numpy and deterministic. Sources: Dhillon & Modha, Machine Learning 2001 (spherical k-means); Arthur &
Vassilvitskii, SODA 2007 (k-means++). How many speakers there are is `_speakers`' job.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Seconds = NDArray[np.float64]
Flags = NDArray[np.bool_]
Labels = NDArray[np.int64]

_STARTS = 6  # of k-means; the best is kept
_STEPS = 20  # of moving centroids; it settles in five to ten
_ROUNDS = 3  # of smoothing and new centroids
_PAUSE_SHARE = 0.5  # of the cost of a change where a pause invites it


class Heard(Struct, frozen=True):
    """Windows in the order of channel and time."""

    embeddings: Floats  # (num_windows, dimension), of length 1 or 0
    seconds: Seconds  # (num_windows,), the speech each stands for
    joined: Flags  # (num_windows,), whether there is no pause between a window and the one before

    def __len__(self) -> int:
        return len(self.embeddings)


def k_means(heard: Heard, cosines: Floats, count: int) -> Labels:
    """Group windows around `count` centroids so that the sum of seconds times cosine is large: labels below `count`.

    cosines: (num_windows, num_windows). With fewer windows than centroids each is its own.
    """
    if count >= len(heard):
        return np.arange(len(heard), dtype=np.int64)
    generator = np.random.default_rng(0)
    found = [_descend(heard, _seeds(heard, cosines, count, generator)) for _ in range(_STARTS if count > 1 else 1)]
    return max(found, key=lambda one: one[0])[1]


def _seeds(heard: Heard, cosines: Floats, count: int, generator: np.random.Generator) -> Floats:
    """Draw windows far from those drawn: k-means++."""
    shares = heard.seconds / heard.seconds.sum()
    chosen = [int(generator.choice(len(heard), p=shares))]
    while len(chosen) < count:
        far = np.maximum(1.0 - cosines[chosen].max(axis=0), 0.0).astype(np.float64) ** 2 * heard.seconds
        far[chosen] = 0.0
        left = np.where(np.isin(np.arange(len(heard)), chosen), 0.0, heard.seconds)
        odds = far if far.sum() > 0 else left
        chosen.append(int(generator.choice(len(heard), p=odds / odds.sum())))
    return heard.embeddings[chosen]


def _descend(heard: Heard, means: Floats) -> tuple[float, Labels]:
    """Move windows to the nearest centroid and centroids to their windows' mean, until nothing moves."""
    labels = np.argmax(heard.embeddings @ means.T, axis=1)
    for _ in range(_STEPS):
        means = centroids(heard.embeddings, labels, heard.seconds, means)
        moved = np.argmax(heard.embeddings @ means.T, axis=1)
        if np.array_equal(moved, labels):
            break
        labels = moved
    return fit(heard, labels, means), labels.astype(np.int64)


def centroids(embeddings: Floats, labels: Labels, seconds: Seconds, before: Floats) -> Floats:
    """Weighted mean of each group, scaled to length 1: (num_groups, dimension).

    before: (num_groups, dimension); a group without windows keeps its row of it.
    """
    member = (labels[:, None] == np.arange(len(before))) * seconds[:, None]
    sums = member.T.astype(np.float32) @ embeddings
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.asarray(np.where(lengths > 0, sums / np.maximum(lengths, 1e-12), before), dtype=np.float32)


def means_of(heard: Heard, labels: Labels) -> Floats:
    """Centroids of labels 0, 1, ... without holes."""
    none = np.zeros((int(labels.max()) + 1, heard.embeddings.shape[1]), np.float32)
    return centroids(heard.embeddings, labels, heard.seconds, none)


def fit(heard: Heard, labels: Labels, means: Floats) -> float:
    """Sum of seconds times the cosine to the own centroid."""
    return float(heard.seconds @ np.einsum("ij,ij->i", heard.embeddings, means[labels]))


def settle(heard: Heard, labels: Labels, change_cost: float) -> Labels:
    """Smooth labels in time and move the centroids, until nothing moves; may lose a speaker."""
    labels = relabel(labels)
    for _ in range(_ROUNDS):
        moved = relabel(smoothed(heard.embeddings @ means_of(heard, labels).T, heard.joined, change_cost))
        if np.array_equal(moved, labels):
            break
        labels = moved
    return labels


def smoothed(scores: Floats, joined: Flags, change_cost: float) -> Labels:
    """Find the labels with the largest sum of scores, less what each change of label costs (Viterbi).

    scores: (num_windows, num_labels). A change costs half where a window doesn't touch the one before.
    """
    total, count = scores.shape
    if count == 1 or total == 0:
        return np.zeros(total, dtype=np.int64)
    costs = np.where(joined, change_cost, change_cost * _PAUSE_SHARE).tolist()
    from_best = np.zeros((total, count), dtype=bool)
    best = np.zeros(total, dtype=np.int64)
    sums = scores[0].astype(np.float64)
    for index in range(1, total):
        best[index] = winner = int(sums.argmax())
        changed = sums[winner] - costs[index]
        from_best[index] = changed > sums
        sums = np.maximum(sums, changed) + scores[index]
    labels = np.zeros(total, dtype=np.int64)
    labels[-1] = sums.argmax()
    for index in range(total - 1, 0, -1):
        now = labels[index]
        labels[index - 1] = best[index] if from_best[index, now] else now
    return labels


def relabel(labels: Labels) -> Labels:
    """Number labels 0, 1, ... in the order of their first appearance."""
    values, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(values), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(values))
    return rank[inverse]
