# SPDX-License-Identifier: Apache-2.0
"""Features by which states are told apart best: linear discriminant analysis of neighbouring frames, and MLLT.

What a frame and those beside it say is projected to few dimensions (Haeb-Umbach & Ney, 1992), and these are turned so
that diagonal covariances fit them (MLLT, or semi-tied covariances: Gales, 1999). An option of training: on minutes of
speech boundaries got worse by it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from speechmill.acoustic.corpus import Corpus
from speechmill.acoustic.features import Matrix
from speechmill.acoustic.products import product

Floats = NDArray[np.float64]

MAX_REACH = 20  # frames to either side
_RIDGE = 1e-4  # of the mean variance: nothing is known of less
_SWEEPS = 20  # over the rows of a turn; the likelihood rises by less than 1e-4 of itself after ten


class Projection(Struct, frozen=True):
    """How neighbouring frames become features."""

    reach: int  # frames to either side
    matrix: NDArray[np.float32]  # (dimensions, (2 * reach + 1) * columns of static features)

    @property
    def num_dimensions(self) -> int:
        return len(self.matrix)


def projected(features: Matrix, projection: Projection | None) -> Matrix:
    """Return (frames, dimensions). features: static ones, normalised, and whatever follows them."""
    if projection is None:
        return features
    spread = spliced(features, projection.matrix.shape[1] // (2 * projection.reach + 1), projection.reach)
    return product(spread, np.ascontiguousarray(projection.matrix.T))


def spliced(features: Matrix, num_static: int, reach: int) -> Matrix:
    """Return (frames, (2 * reach + 1) * num_static): each frame between its neighbours; the outermost are repeated."""
    frames = np.arange(len(features))
    near = [np.clip(frames + step, 0, len(features) - 1) for step in range(-reach, reach + 1)]
    return np.hstack([features[places, :num_static] for places in near])


class Scatter:
    """Sums of which a projection is made; of a size that doesn't depend on the amount of speech."""

    def __init__(self, num_classes: int, num_dimensions: int) -> None:
        self.count: Floats = np.zeros(num_classes)
        self.total: Floats = np.zeros((num_classes, num_dimensions))
        self.square: Floats = np.zeros((num_dimensions, num_dimensions))

    def add(self, frames: Matrix, classes: NDArray[Any]) -> None:
        """Add (frames, dimensions) and the class of each."""
        wide = frames.astype(np.float64)
        self.count += np.bincount(classes, minlength=len(self.count))
        np.add.at(self.total, classes, wide)
        self.square += product(np.ascontiguousarray(wide.T), wide)

    def merge(self, other: Scatter) -> None:
        """Add what another thread has summed."""
        self.count += other.count
        self.total += other.total
        self.square += other.square

    def discriminant(self, num_dimensions: int) -> NDArray[np.float32]:
        """Return (num_dimensions, dimensions): directions of most variance between classes, where it is 1 within."""
        count = max(float(self.count.sum()), 1.0)
        means = self.total / np.maximum(self.count, 1)[:, None]
        mean = self.total.sum(axis=0) / count
        inner = (means.T * self.count) @ means / count
        within = self.square / count - inner
        within += _RIDGE * max(float(np.trace(within)) / len(within), 1e-6) * np.eye(len(within))
        white = np.linalg.inv(np.linalg.cholesky(within))
        _, axes = np.linalg.eigh(white @ (inner - np.outer(mean, mean)) @ white.T)
        return np.asarray(axes[:, ::-1][:, :num_dimensions].T @ white, np.float32)


class Spread:
    """Covariances of the frames around their classes' means, of which a turn is made: one for each class."""

    def __init__(self, means: Floats) -> None:
        self._means = means
        self.count: Floats = np.zeros(len(means))
        self.square: Floats = np.zeros((*means.shape, means.shape[1]))

    def add(self, frames: Matrix, classes: NDArray[Any]) -> None:
        """Add (frames, dimensions) and the class of each."""
        for one in np.unique(classes).tolist():
            apart = frames[classes == one] - self._means[one]
            self.square[one] += apart.T @ apart
            self.count[one] += len(apart)

    def merge(self, other: Spread) -> None:
        """Add what another thread has summed."""
        self.count += other.count
        self.square += other.square

    def turn(self) -> Floats:
        """Return (dimensions, dimensions), after which covariances are as diagonal as one matrix can make them."""
        size = self._means.shape[1]
        heard = self.count > size
        found = np.eye(size)
        if not heard.any():
            return found
        covariances = self.square[heard] / self.count[heard][:, None, None] + _RIDGE * np.eye(size)
        for _ in range(_SWEEPS):
            for axis in range(size):
                variances = np.einsum("i,sij,j->s", found[axis], covariances, found[axis])
                weighted = np.tensordot(self.count[heard] / variances, covariances, 1)
                cofactors = np.linalg.inv(found)[:, axis] * np.linalg.det(found)
                row = np.linalg.solve(weighted, cofactors)
                found[axis] = row * np.sqrt(self.count[heard].sum() / (cofactors @ row))
        return found


def learnt(
    corpus: Corpus, states: Callable[[int], NDArray[np.int32] | None], num_states: int, reach: int, num_dimensions: int
) -> Projection:
    """Return the projection that tells states apart best, turned. states: those of an utterance's frames, or None."""
    num_static = corpus.config.num_static
    width = (2 * reach + 1) * num_static

    def frames(number: int) -> Matrix:
        return spliced(corpus.features(corpus.utterances[number]), num_static, reach)

    def scatter(chunk: range) -> Scatter:
        found = Scatter(num_states, width)
        for number in chunk:
            if (own := states(number)) is not None:
                found.add(frames(number), own)
        return found

    total = Scatter(num_states, width)
    for part in corpus.each(scatter):
        total.merge(part)
    matrix = total.discriminant(min(num_dimensions, width))
    means = total.total / np.maximum(total.count, 1)[:, None] @ matrix.T

    def spread(chunk: range) -> Spread:
        found = Spread(means)
        for number in chunk:
            if (own := states(number)) is not None:
                found.add(product(frames(number), np.ascontiguousarray(matrix.T)), own)
        return found

    whole = Spread(means)
    for piece in corpus.each(spread):
        whole.merge(piece)
    return Projection(reach, (whole.turn() @ matrix).astype(np.float32))
