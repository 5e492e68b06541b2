# SPDX-License-Identifier: Apache-2.0
"""Mixtures of Gaussians with diagonal covariances: one per state of a model, all in three flat arrays.

`Scorer` turns them into the matrix whose product with (x, x^2) is the log-likelihood of every component; `Statistics`
are what training sums up, of a size that doesn't depend on the amount of speech.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from speechmill.acoustic import kernels
from speechmill.acoustic.features import Matrix
from speechmill.acoustic.products import product

_LOG_2PI = float(np.log(2 * np.pi))
_MIN_WEIGHT = 1e-5


class Mixtures(Struct, frozen=True):
    """Components of state s are those from first[s] to first[s + 1]."""

    first: NDArray[np.int32]  # (states + 1,)
    weights: NDArray[np.float64]  # (components,), each state's sum to 1
    means: NDArray[np.float64]  # (components, dimensions)
    variances: NDArray[np.float64]

    @property
    def num_states(self) -> int:
        return len(self.first) - 1

    @property
    def sizes(self) -> NDArray[np.int32]:
        """Components of each state."""
        return np.diff(self.first)

    @property
    def owner(self) -> NDArray[np.int64]:
        """The state of each component."""
        return np.repeat(np.arange(self.num_states), self.sizes)


class Statistics:
    """Counts, sums and sums of squares of the frames of each component."""

    def __init__(self, mixtures: Mixtures) -> None:
        self.count: NDArray[np.float64] = np.zeros(len(mixtures.weights))
        self.total: NDArray[np.float64] = np.zeros(mixtures.means.shape)
        self.square: NDArray[np.float64] = np.zeros(mixtures.means.shape)
        self.likelihood = 0.0

    def add(self, other: Statistics) -> None:
        """Add what another thread has summed."""
        self.count += other.count
        self.total += other.total
        self.square += other.square
        self.likelihood += other.likelihood


class Scorer:
    """Log-likelihoods of frames under the states of mixtures."""

    def __init__(self, mixtures: Mixtures) -> None:
        self.mixtures = mixtures
        inverse = 1 / mixtures.variances
        linear, square = mixtures.means * inverse, -0.5 * inverse
        norm = np.log(mixtures.variances).sum(axis=1) + (mixtures.means**2 * inverse).sum(axis=1)
        constant = np.log(mixtures.weights) - 0.5 * (norm + mixtures.means.shape[1] * _LOG_2PI)
        self._linear = np.ascontiguousarray(linear, np.float32)
        self._square = np.ascontiguousarray(square, np.float32)
        self._constant = constant.astype(np.float32)
        self._matrix = np.hstack([self._linear, self._square])

    def scores(self, doubled: Matrix, states: NDArray[Any]) -> Matrix:
        """Return (frames, len(states)) float32. doubled: the frames, as `doubled` makes them."""
        sizes = self.mixtures.sizes[states]
        first = np.zeros(len(states) + 1, np.int32)
        np.cumsum(sizes, out=first[1:])
        rows = np.repeat(self.mixtures.first[states] - first[:-1], sizes) + np.arange(first[-1])
        components = product(doubled, self._matrix[rows].T)
        components += self._constant[rows]
        if len(rows) == len(states):
            return components
        mixed = np.empty((len(doubled), len(states)), np.float32)
        kernels.mix(components, first, mixed)
        return mixed

    def own(self, features: Matrix, states: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return (frames,): the log-likelihood of each frame under its own state."""
        found = np.empty(len(features), np.float32)
        first = self.mixtures.first
        kernels.own(features, states, first, self._linear, self._square, self._constant, found)
        return found

    def gather(self, features: Matrix, states: NDArray[np.int32], statistics: Statistics) -> None:
        """Add frames to the statistics of their states' components; a state of -1 leaves its frame out."""
        statistics.likelihood += kernels.gather(
            np.ascontiguousarray(features),
            states,
            self.mixtures.first,
            self._linear,
            self._square,
            self._constant,
            statistics.count,
            statistics.total,
            statistics.square,
        )

    def pulls(self, features: Matrix, states: NDArray[np.int32]) -> tuple[Matrix, Matrix]:
        """Return each frame's expected inverse variances, and its expected means times these: (frames, dimensions)."""
        precision, pull = np.zeros(features.shape, np.float32), np.zeros(features.shape, np.float32)
        arrays = (self.mixtures.first, self._linear, self._square, self._constant)
        kernels.pulls(np.ascontiguousarray(features), states, *arrays, precision, pull)
        return precision, pull


def doubled(features: Matrix) -> Matrix:
    """Return (frames, 2 * dimensions): the features and their squares."""
    return np.hstack([features, features * features])


def single(num_states: int, mean: NDArray[np.float64], variance: NDArray[np.float64]) -> Mixtures:
    """Return one and the same Gaussian for every state."""
    first = np.arange(num_states + 1, dtype=np.int32)
    return Mixtures(first, np.ones(num_states), np.tile(mean, (num_states, 1)), np.tile(variance, (num_states, 1)))


def estimated(mixtures: Mixtures, statistics: Statistics, floor: NDArray[np.float64], min_count: float) -> Mixtures:
    """Return mixtures as the statistics say. A state without frames stays as it is.

    A component of fewer frames than min_count goes, unless it is the heaviest of its state. floor: (dimensions,),
    below which no variance falls.
    """
    count = statistics.count[:, None]
    known = count >= min_count
    safe = np.maximum(count, 1e-9)
    means = np.where(known, statistics.total / safe, mixtures.means)
    spread = statistics.square / safe - means**2
    variances = np.where(known, np.maximum(spread, floor), mixtures.variances)
    total = np.bincount(mixtures.owner, statistics.count, mixtures.num_states)[mixtures.owner]
    weights = np.where(total > 0, statistics.count / np.maximum(total, 1e-9), mixtures.weights)
    found = Mixtures(mixtures.first, np.maximum(weights, _MIN_WEIGHT), means, variances)
    return _without(found, ~known[:, 0] & (total > 0))


def _without(mixtures: Mixtures, weak: NDArray[np.bool_]) -> Mixtures:
    """Drop weak components, but never the heaviest of a state; weights sum to 1 again."""
    owner = mixtures.owner
    order = np.lexsort((-mixtures.weights, owner))
    heaviest = order[mixtures.first[:-1]]
    keep = ~weak
    keep[heaviest] = True
    sizes = np.bincount(owner[keep], minlength=mixtures.num_states)
    weights = mixtures.weights[keep]
    weights = weights / np.bincount(owner[keep], weights, mixtures.num_states)[owner[keep]]
    return Mixtures(_firsts(sizes), weights, mixtures.means[keep], mixtures.variances[keep])


def split(mixtures: Mixtures, wanted: NDArray[Any]) -> Mixtures:
    """Split each state's heaviest components in two until it has as many as wanted, at most twice as many as before.

    The halves move apart by 0.2 standard deviations to either side, as in HTK.
    """
    owner = mixtures.owner
    order = np.lexsort((-mixtures.weights, owner))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order)) - mixtures.first[:-1][owner[order]]
    parts = np.where(rank < (np.asarray(wanted) - mixtures.sizes)[owner], 2, 1)
    source = np.repeat(np.arange(len(parts)), parts)
    second = np.zeros(len(source), bool)
    second[1:] = source[1:] == source[:-1]
    sign = np.where(parts[source] == 2, np.where(second, -0.2, 0.2), 0.0)[:, None]
    sizes = np.bincount(owner, parts, mixtures.num_states)
    return Mixtures(
        _firsts(sizes),
        mixtures.weights[source] / parts[source],
        mixtures.means[source] + sign * np.sqrt(mixtures.variances[source]),
        mixtures.variances[source],
    )


def _firsts(sizes: NDArray[Any]) -> NDArray[np.int32]:
    first = np.zeros(len(sizes) + 1, np.int32)
    np.cumsum(sizes, out=first[1:])
    return first


def state_counts(mixtures: Mixtures, statistics: Statistics) -> NDArray[np.float64]:
    """Return frames of each state."""
    return np.asarray(np.bincount(mixtures.owner, statistics.count, mixtures.num_states), np.float64)
